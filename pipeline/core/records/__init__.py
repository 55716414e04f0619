"""The records that flow through the pipeline. All are frozen, and their arrays are read-only."""
