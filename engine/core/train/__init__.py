"""Training: takes a network, its data and a recipe, gives trained weights; a kill resumes to the same bits (on CUDA
with train.deterministic).

loop         the one training loop: steps, epochs, when to save, when to stop
recipe       what it is given
wanted       what a batch is trained towards
ranks        the same in several processes
forward      pixels to logits in the precision of the spec
compile_cache  what it keeps, without what a kill cut
compiled     the same by torch.compile: when, from which cache, and without where it fails
halves       weights in half precision, cast at once
optim        the optimizer, ours or one of timm's
schedule     the learning rate of a step
update       gradients to weights: scaled, clipped, applied
groups       several batches to an optimizer step
soundness    whether its numbers are finite
marks        where a step is, told to whoever profiles it
ema          a moving average of the weights
micro_batch  a batch in pieces, with the gradient of the whole
room         how much of a GPU it takes
checkpoint   a state on disk that is whole or absent
writer       checkpoints written beside the training
evaluate     a network on a part of the data
probe        a linear head fitted to its optimum
"""
