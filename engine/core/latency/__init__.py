"""Latency foretold: takes a network, gives the seconds of a forward pass from those of its operators, and how sure.

pieces      a pass taken apart into operators
clock       what each piece takes on this device, among others and out of the caches
table       the times that a device has shown, in a file
predict     their sum, set right by networks that were timed whole, and how far off such a sum is
solve       the widths at which a given share of the latency is gone
child       questions of a plan or of a job, answered in a process of its own
"""
