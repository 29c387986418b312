"""What lies on disk before any work: takes paths, gives names, counts and digests; imports no torch.

archive  .zip and .tar files as folders
tar_members zip_members member_names inflate   how their members are read, and what is refused
folders  images by class, and the part that each came in
quotas   how many images of a class each part gets, or a refusal
forms    sets that are no folders: tables, Parquet, WebDataset, CIFAR, IDX, NumPy
remote   images on another machine, and their copies here
origins  which images are ImageNet's own, by name
box_files boxes   where objects lie: .xml, .csv and mask files, untrusted; which image each is of
content  digest, classes and counts of a data set
splits   which of them: rows of train, val and test, by content
weights  names and shapes of a weights file, without loading it
tensors trained  a digest of its tensors alone; the networks that a home has trained, by it
gpus     the GPUs of this machine, as opaque ids
machine  the processor: its name, the cores that we may use
hub      published weights that are not in the hub's cache here
own_code own_images   a person's own code by name, its digest, trust and copies; images that it gave
looks    how a teacher's weights look, and what of it this data cannot give
image_index image_keys   the images of a set as a split needs them; the keys of its parts
lineage ancestors        what a network has seen, in its weights file; whom it comes from
leaks    whether that is among the test images of a run
missing  data, weights and variables that a spec names and that are not here
"""
