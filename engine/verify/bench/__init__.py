"""Networks against each other on this machine's CPU, at once and beside everything else: nothing of it is stored.

subjects  what a run or an exported file is to a stopwatch
compare   rounds in new processes, in which they take turns, and the ratios that come of them
table     the same as a person or a program reads it
"""
