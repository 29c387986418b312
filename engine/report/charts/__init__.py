"""The charts of a report: take plain numbers, give figures that are the same byte for byte for the same numbers.

style        how all charts look
files        charts as SVG and PDF
bars         grouped bars
curves       learning curves
reliability  whether a teacher is as right as it is sure
"""
