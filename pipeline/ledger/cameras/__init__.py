"""Cameras that are added and removed while a run goes on, as commands beside its ledger."""
