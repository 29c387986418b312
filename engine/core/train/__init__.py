"""Training: takes a network, its data and a recipe, gives trained weights; any kill resumes to the same bits.

loop.py        the one training loop: steps, epochs, when to save, when to stop
optim.py       the optimizer and the learning rate of a step
split.py       a batch in micro-batches, with the gradient of the whole
checkpoint.py  a state on disk that is whole or absent
writer.py      checkpoints written beside the training
evaluate.py    a network on a part of the data
"""
