"""A CUDA runtime without a GPU, so that the tests walk the CUDA path on any machine.

runtime.cpp  the runtime: counts launches, copies and synchronisations, reserves memory, has the faults that it is told;
             captures graphs and replays them, each kernel for 2 us on a clock that events read
sensors.c    NVML of one card: clocks, power, temperature, energy
card.h       the card that it plays, by what the environment says
build.py     makes the libraries for the torch that is installed
device.py    inside a process on the stub: counters, and stand-ins for cuDNN's convolution and batch normalisation
kernels.py   Triton kernels there: compiled as for the card, counted at the launcher
children.py  runs a function in such a process and reads what it tells
jobs.py      a small experiment's jobs of every kind, feeding, losses, small cards
program.py   the same as a scheduler preloads it, for whole experiments (two_cards.yaml)
replays.py   graphs that are captured, replayed and refused
compiling.py torch.compile of a training step, and a step as a graph
job.py       `engine.run` on the stub: all numbers are zero there, so what judges numbers is told to look away

It finds tensors on the wrong device, dtypes that do not meet, hidden synchronisations, launches, peaks of memory and
what becomes of faults. It cannot find a wrong number, and tells no speed.
"""
