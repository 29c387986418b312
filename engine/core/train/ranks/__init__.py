"""One training in several processes, the ranks, that come to what one would: each has its share of every batch.

group        what ranks say to each other: rows gathered, tensors summed, whether any of them is asked to stop
batch_wide   what a network must know of the whole batch: statistics of batch norm, random masks
backward     the gradients of a batch's loss, and their sum over ranks
validate     a part of the data, measured together
"""
