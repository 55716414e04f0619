"""The real match stage with people who are only numbers: what it costs, how long it holds, and how often it errs."""
