"""A person's own code where it runs: takes its settled name, gives the class or function, from its copy in the home.

loading    the copy imported, the options made
protocols  what a network, a loss, an attention and a source of images must be
check      whether they are, in a process of its own before anything is planned
subject    a piece of code at hand: called, and what it raises told by its line
trials     what each kind is tried with
sides      what importing code must leave alone
views      an augmentation of views, on the host
images     the images that a source gives, written as class folders
"""
