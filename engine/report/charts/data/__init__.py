"""What charts show: takes the sheet of an experiment, gives the plain numbers of each chart and the notes under it.

bars        accuracy, speed, memory and parameters of each arm
curves      validation accuracy and training loss over epochs
effects     each arm against the baseline
likeness    agreement with the teacher against accuracy
grids       searches over two settings of the attention
searches    trials of a search: how the best grew, their settings, what decides, fronts
costs       accuracy against MACs and memory
"""
