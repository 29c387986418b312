"""Window attention as Triton kernels: projections and a bias table go in, outputs and gradients come out.

tiles      what the kernels share: places, blocks that meet, logits
forward    the output, block by block of keys
backward   the gradients of q, k and v
bias       the gradient of the bias table, in a fixed order
plan       how an attention is cut into programs
launch     which kernels run, on which tensors
operator   the kernels as torch operators

Only `operator` and what it stands on need triton, which is not there on every system: see choice.py.
"""
