"""Images: sources (what is there) -> pack (one mapped file) -> splits -> views (what a network sees) -> loader.

sources survey duplicates   files and archives as upright RGB bytes; what a set is like; what shows the same
pack shards                 one data file with its index; how it is written so that a kill loses little
splits                      rows of train, val and test, by content
draws views augment mixing  a view's random numbers, geometry, colours; pairs
resident resample feeding   images held decoded, on host or device; crops resized there; batches made ahead
loader preview wordnet      batches; a contact sheet; ImageNet's class tables
"""
