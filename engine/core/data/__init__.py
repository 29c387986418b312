"""Images: sources (what is there) -> pack (one mapped file) -> splits -> views (what a network sees) -> loader.

decode         an image file as upright RGB bytes, within limits
sources        the images of a folder, an archive or a package
survey         what a set is like
duplicates     what shows the same
likeness       how alike two images are
appending      bytes that are on the disk, and still whole later
pack shards    one data file with its index; how it is written so that a kill loses little
draws views    a view's random numbers and geometry
objects        boxes and masks as a view shows them
augment        its colours and erasing
mixing         pairs for mixup and CutMix
decoded_cache  images held decoded, on host or device
resample       crops resized there
kernels        batches made on a GPU in a few launches
normalize      pixels by a network's own mean and std
prefetch       batches made ahead
spans          where that time goes, told to whoever profiles it
share          whose images of a batch, where several processes train
loader         batches for training and evaluation
preview        a contact sheet
wordnet        ImageNet's class tables
"""
