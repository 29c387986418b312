"""Whether what is promised holds on this machine: resuming to the same bits, targets that the teacher would give again.

resume       kills an experiment's trainings on purpose and compares the weights
certificate  what that showed, kept for each machine
targets      cached targets asked again
calibrate    how fast this machine is, which estimates go by
bench        networks against each other on this machine
profile      where a training step's time goes, and what bounds it
"""
