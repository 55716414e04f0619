"""A rendered world: people who never lived, cameras that see them, and the exact truth."""
