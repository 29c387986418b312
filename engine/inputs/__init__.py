"""What lies on disk before any work: takes paths, gives names, counts and digests; imports no torch.

archive  .zip and .tar files as folders
folders  images by class, and the part that each came in
quotas   how many images of a class each part gets, or a refusal
origins  which images are ImageNet's own, by name
content  digest, classes and counts of a data set
weights  names and shapes of a weights file, without loading it
looks    how a teacher's weights look, and what of it this data cannot give
missing  data, weights and variables that a spec names and that are not here
"""
