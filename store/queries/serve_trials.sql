-- Every trial of a search in the order in which it was asked for, with its run where it has one, and these figures ('val_top1,params').
select arm, trial, trial_arm, run, why, refused, drawn::varchar as drawn,
    columns(lambda name: name = 'state' or contains(',' || $metrics || ',', ',' || name || ','))
from trials where experiment = $name order by asked_at, trial, arm, trial_arm, cell, seed;
