"""Searching: takes a searched experiment's record and results, gives its next trials; all it knows lies in files.

decisions   what was decided of each trial, and what became of it
drawing     the next point of a space, by Optuna
judging     which trial is best, which form the front, what a constraint says
trials      a drawn point as runs and jobs of the experiment
halving     which trials go on for longer, by the published rule
rungs       the same for a study; which of its trials can be compared
advance     one look: what has ended, what is asked next, the finals
"""
