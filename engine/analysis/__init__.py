"""What the numbers say: takes rows of the snapshot, gives intervals, comparisons, verdicts and where a number is from.

snapshot    one state of the results, held open
critical    how far an interval reaches that few seeds and many images make
statistics  intervals and tests
crossed     intervals over seeds and images
power       what a design can detect
foresight   what an experiment can show before it runs
holes       what would decide comparisons, and what cells lack
lacking     the same with its cost
fill        what of that to do next, within a budget
trainings   what is known of who trained a network
held        what must be equal for which metrics
addresses   an arm as people write it
things      what counts as one thing that differs
fairness    whether two runs may be compared
compare     two arms side by side
speeds      how many times as fast, from rounds side by side
grids       arms that cross factors
factors     what each arm of a table is
sentences   every sentence of these
factorial   main effects and interactions
leaders     whose number is bold
agreement   whether taught students follow their teacher more than untaught ones
controls    which controls a pruned arm has
compression  compressed arms beside whole ones and controls
fronts      which arms are best at their speed
searches    what a search tried, and which of it is best
neighbours  how near trials are to each other
orders      how the best grew, and how in random orders of the trials
importance  which settings decide whether a trial is good
trial_fronts   the front of several figures, and its volume
claims      what a spec claims, against the data
submitted   whether results are of the spec at hand
text        comparisons and verdicts in words
trace       a number back to SQL, runs, jobs and commit
freeze      numbers as they were, and what moved since
query       a person's SQL over the snapshot
"""
