"""The home folder, the only room that knows a path: takes a root, gives names under it, and safe ways to write there.

paths    every path under a home
finding  which home is meant where nobody names one
checks   what can be no home
access   who may read and write it
files    writes that survive a kill, reads without trust
seals    checksums of JSON and of files
commits  what a committed job stands for, and what of it is damaged
control_files  what is said of an attempt beside its results: its process, how far it is, the verdict
records  an experiment's submissions, and what of them is damaged
notes    what a person wrote about an experiment
users    the homes that use a cache
pins     frozen tables and archives that rest on an experiment
limits   the largest that a reader of foreign bytes takes, and `XP_LIMITS`
variables  which variables of the environment are read, and which are nearly one
"""
