"""Networks: a Student (or any Network of a spec) goes in at build, a torch module with logits comes out.

layers     the convolutional and plain parts of TinyViT, named as in timm
recompute  the same parts keeping less for the backward pass
checkpointing  blocks of timm's networks keeping less
geometry   index tables of a window: neighbourhoods, offsets, grid points, tiles
window     dense window attention
sparse     tables, parameters and global tokens of sparse attention
attention  Longformer attention: its formula, and the reference that follows it
fast       the same attention computed with less work
kernels    masked softmax attention over windows and tiles
triton_path       whether the Triton kernels fit a module, and the way to them
triton_attention  window attention as Triton kernels, forward and backward
backends   which backend computes each attention of a job
backend_times  measured times of backends, by device
tiny_vit   blocks, stages, the network
streams    channels of the residual stream that can go
widths     the layer widths of a pruned network
units      layers whose units can be taken away, and taking them
unit_parts   which slices of which tensors a unit is
timm_units   the units of timm's blocks
graph_units  units that Torch-Pruning's graph tells, of other networks; modules cut to sizes
heads      classifier heads: sliced, counted, reset
fit        whether a file's names and shapes are those of a network
build      which network a spec means, weights in and out
"""
