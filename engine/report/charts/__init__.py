"""The charts of a report: take plain numbers, give figures that are the same byte for byte for the same numbers.

style        how all charts look, and the paper they are drawn for
files        charts as SVG and PDF
data         what charts show, out of an experiment's figures
bars         grouped bars
curves       learning curves
effects      each arm against the baseline
likeness     agreement with the teacher against accuracy
grids        heat maps of a search
best_so_far  how the best of a search grew
parallel     trials as lines through their settings
importance   which settings decide
trial_front  the front of a search, and its volume
reliability  whether a teacher is as right as it is sure
"""
