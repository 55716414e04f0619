"""Simulation of the match stage with synthetic appearance vectors: error rates, cost, and long runs."""
