-- The arms that are the best of an experiment's searches, which trial each of them is, and whether it is the first one.
select trial_arm as arm, arm as searched, trial, why = 'final again' as is_again
from raw.trials where experiment = $name and stage = 'final' and refused is null order by arm, trial, trial_arm;
