"""Rendered cameras with exact ground truth: synthetic people in synthetic places."""
