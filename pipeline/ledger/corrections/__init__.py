"""Correction commands of operators: submitted, resolved, applied, undone."""
