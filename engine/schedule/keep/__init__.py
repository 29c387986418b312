"""Housekeeping: what is needed, what takes how much disk, what may go and can be brought back.

needs   the jobs that must stay, and for whom
sizes   what files take of a disk, each once
usage   the disk of a home and its cache, by experiment and kind
trash   what was removed, for a day
own_code  copies of own code, and images of sources, that no job names
choose  what gc would take; pure
sweep   gc: takes it
remove  rm: an experiment or an arm, with what only it needs
undo    what was removed, back in its place
"""
