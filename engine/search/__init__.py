"""Searching: takes what was tried and what came out, gives what to try next.

halving     which trials go on for longer
"""
