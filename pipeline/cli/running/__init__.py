"""The sites of a job, from their checks to their last word."""
