"""Synthetic people: body, clothes, gait, textures, attributes."""
