"""Hostile inputs: what a person may be handed with a data set, a spec or weights, and what xp answers.

`python -m tests.hostile` prints each input, what is asked and the answer. A row is a Case of one of the modules here;
pytest asks the same rows: no traceback, nothing written outside of the home, no memory beyond the promise, and the
answer names what is wrong.
"""
