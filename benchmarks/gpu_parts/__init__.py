"""The parts of benchmarks/gpu.py: each takes a place and a way to tell, and tells findings; one that fails ends alone.

findings      what a part tells, and where it runs
environment   what is there: card, driver, versions, modules
pixels        bytes: every augmentation, mixing and the album on the device are those of the CPU
numbers       every attention and loss against double precision on the CPU
resume        SIGKILL, then the same weights
faults        memory that runs out, a step that breaks the device, and the job after it
speed         steps: eager, compiled, as a graph, against timm's
feeding       from JPEG files to trained weights, against timm's loader and step; how busy the device is
experiment    jobs of every kind, one after another, without a queue
variants      the kinds of attention
photos        JPEG files to work on
jobs          a plan's jobs, each in a process of its own
page          findings for people
"""
