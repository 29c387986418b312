"""Where a training step's time goes: takes a spec or a run, trains a little in a scratch home, gives a table's numbers.

subject   which training is meant, and what it needs of the home
timings   what was timed, as plain values
clock     the loop's and the loader's clock, on the host and on the card
work      launches, waits and idle time of a card
made_up   a teacher's answers where there are none yet
child     the process that trains; `python -P -m engine.verify.profile.child FOLDER`
profile   asks it, and gives the profile
summary   means, medians and shares
verdict   what bounds a step, in sentences
table     all of it as text, or for programs
"""
