"""Good specs with one slip of the hand each: takes a seed, gives what `xp validate` says of them, and how well.

goods     specs that are right
spots     where the keys and values of a text stand
changes   one slip: misspelt, dropped, retyped, nested, doubled, tagged, encoded, with a unit, quoted
telling   what `xp validate` prints of a text, read as a person reads it
mending   the fix that is printed, carried out
judging   slips judged and counted; `python -m tests.slips --count 1000 --seed 0` prints the rates
"""
