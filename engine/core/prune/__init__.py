"""Pruning: takes a trained network and an asked share, gives a smaller network, or one with zeros that stay zero.

structured  units are taken away, and layers are smaller
criteria    what makes a unit worth keeping
tally       what goes where two layers that both get narrower meet
shares      how many units each layer gives up
masks       weights at zero, kept there while the network recovers; 2:4; masks that grow
"""
