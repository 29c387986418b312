"""Batches made on a GPU by Triton kernels, a dozen launches each, to the bits of the host.

parcel             arrays that go to a device in one copy
orders             what each image of a batch goes through, drawn on the host
resize change mix look_up  the kernels
rounding           what they share
batch              a batch by all of them
ready              whether this device runs them, tried on a small batch
"""
