"""What we know: journals, the queue and the results. A leaf: imports nothing of the engine."""
