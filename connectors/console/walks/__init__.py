"""The floor plan page: where people stand on the ground, live and at any moment before."""
