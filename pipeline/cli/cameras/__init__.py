"""Cameras of a run: their checks, and how they are added and removed while it goes on."""
