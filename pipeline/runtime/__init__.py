"""The processes of a run: actors, the queues between them, and what restarts them. Policy is in the stages."""
