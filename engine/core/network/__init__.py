"""Networks: a Student (or any Network of a spec) goes in at build.py, a torch module with logits comes out.

layers.py     the convolutional and plain parts of TinyViT, named as in timm
lean.py       the same parts keeping less for the backward pass
geometry.py   index tables of a window: neighbourhoods, offsets, grid points, tiles
attention.py  dense and Longformer window attention, and the reference formula
fast.py       the same attention computed with less work
tiny_vit.py   blocks, stages, the network
build.py      which network a spec means, weights in and out
"""
