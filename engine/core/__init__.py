"""The shared model core: the only rooms that import torch and timm. Each part of a spec has its room here.

data      images: sources, pack, splits, views, loaders
network   TinyViT with every attention, timm's networks, weights in and out
distill   a teacher's answers and what a student makes of them
train     the training loop, resumed to the same bits
prune     smaller layers
measure   speed, memory, size
explain   attention maps
describe  a network's layers as a table
"""
