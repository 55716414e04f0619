"""Zones, lines and rules that are edited in the page: versions, checks, ground points, pictures to draw on."""
