"""Mutation test of a room: takes a room's name, gives the share of small faults that its tests notice.

    rooms.py      a name -> the files of that room, wherever it lies        python.py  quiet.py  a source -> its mutants
    sql.py        a query or schema -> its mutants                          texts.py   what a mutant is; applying one
    choosing.py   which mutants are tried; equivalent.txt leaves some out   selection.py  which tests judge a file
    copies.py     a copy of the tree with its own interpreter               preload.py    forks a pytest per mutant
    judging.py    baseline, then every mutant on every copy                 wording.py    lines, tables, JSON

A whole interpreter per mutant would spend most of its time on loading torch; here a process loads it once and forks.
"""
