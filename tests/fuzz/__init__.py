"""Fuzzing of every reader of foreign bytes: `make fuzz` for an hour, a short form among the tests.

target     what is fed, from which seeds, and what is an answer (an error of ours) rather than a crash
inputs     specs, archives, images, weights
homes      journals, results, records and orders of a home; SQL and ids of a person
mutations  a small mutator with a seed, for the short form
guided     one target under atheris, which looks for new branches
__main__   shares the minutes among the targets and keeps what crashed in crashes/TARGET/, where the tests feed it again
"""
