"""What jobs cost: takes a job's settings, gives the work in it; and how fast this machine does such work.

macs         what a network multiplies, by formula, where nobody has counted it
speeds       the questions that a machine is asked, and its answers
calibration  the answers that are kept, and a child process that finds those that are not
work         a job as passes of networks and images to load
records      how long jobs of this home took against what their work came to
room         which jobs will not fit into memory
"""
