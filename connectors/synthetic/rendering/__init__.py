"""From people and places to images: ray tracing, rasterisation, camera effects."""
