"""What we know: journals, the queue and the results. A leaf: imports nothing of the engine.

journal   the lines that a job writes
points    the metric lines of a journal in bulk
metrics   the figures of a run, and what each of them is
words     what metrics, relations and columns mean
amounts   `1 trial`, `2 trials`
format    numbers and rows as text, for people and programs
escape    text made harmless for where it goes
tex_text  text for LaTeX, in any letters
parquet   Parquet files that others wrote
file_names   names of files in a query
readonly  what a query may not do
queue     what there is to do and who is doing it
results   the published snapshot and queries on it
"""
