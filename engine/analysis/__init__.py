"""What the numbers say: takes rows of the snapshot, gives intervals, comparisons, verdicts and where a number is from.

snapshot    one state of the results, held open
statistics  intervals and tests
fairness    whether two runs may be compared
compare     two arms side by side
speeds      how many times as fast, from rounds side by side
claims      what a spec claims, against the data
text        comparisons and verdicts in words
trace       a number back to SQL, runs, jobs and commit
freeze      numbers as they were, and what moved since
query       a person's SQL over the snapshot
"""
