"""What tests of several rooms share.

synthetic      homes with results, written by hand
large_home     homes of ten thousand runs, for speed
queueing       jobs that do what a test says, in a queue
commanding     commands in processes that are forked from one which has the engine loaded
forking        a job server of a test's own, and blows at its jobs
packages       marks of tests that need an extra
recording      the order in which a disk is asked to keep things
memory_job     jobs on a machine that runs out of memory
forgetful_job  jobs that resume wrongly
"""
