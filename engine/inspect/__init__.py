"""What a person asks before and during the work: takes a home, a spec or a folder, gives views; starts no job.

status   counts, progress, what is left, failures with reasons
slots    the slots of the machine or the cluster, and what runs on each
costs    GPU-hours and CPU-hours by experiment and user, as recorded
run_views  the runs of one experiment: state, progress, last validation, time left
outlay   what a plan costs by arm and cell, what it reuses and from where
budget   what fits into a budget, and what does not
departure  what a submit would change of what is registered
progress_text  the same in a line of words; seconds and bytes as text
following  an experiment, until nothing of it moves
log_text  some lines of a log of any size, without what steers a terminal
listing  experiments, runs and jobs that are here
history  an experiment's submissions: what changed, and the results of each
foreign  jobs that who schedules here may not end
logs     a job's log, followed
meaning  what a word of a spec, a metric or a column means; the page of them all
own_code  the files of a person's own code behind settings, and which of them changed
why_arms  what ran and what was reused, arm by arm
why_tried  why a trial of a search, and a final, has the settings that it has
why_begun  which shorter training a training goes on from
why      what an id is made of, why a job ran or was reused; where two runs differ
doctor   what is wrong here
file_system  what disk a home lies on, and whether it does what xp relies on
deep     every file against its checksum
images   a contact sheet of what a student will see
surveys  what a set of images is like
layers   a network's layers, arm by arm
"""
