"""Synthetic places: what stands in them, their light, cameras, lanes and variants."""
