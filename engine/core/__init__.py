"""The shared model core, where torch and timm live; only run and verify use them too. One room for each part of a spec.

data      images: sources, pack, splits, views, loaders
network   TinyViT with every attention, timm's networks, weights in and out
distill   a teacher's answers and what a student makes of them
train     the training loop, resumed to the same bits
export    the network as a file of other runtimes
runtimes  the files where they run: opened, timed, alone in a process
prune     smaller layers, or weights at zero
quantize  the network in 8-bit numbers
latency   latency foretold from what operators take
prune_left  what a ratio leaves of them, before any training
measure   speed, memory, size
replay    the same as a CUDA graph, between events
sensors   clocks, power, temperature and energy of a card
rapl      energy of the processor
algorithm_macs   what attention patterns need, whatever is computed
explain   attention maps
map_kinds  the kinds of maps that a spec may name
gradcam   where a class is read off
attention_gradient  attention where it speaks for a class
rollout   attention multiplied over blocks
vit_attention   the attention of timm's plain transformers
attention_figures   entropy, distance, mass on global tokens
deletion  whether a network needs what maps show, over many images
pointing  whether maps point at the object
curves    whether a network needs what its maps point at
card      what a GPU can do
host_memory   freed memory is kept for the next step
own_code  a person's own networks, losses, attentions, sources
describe  a network's layers as a table
"""
