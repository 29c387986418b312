-- The arms that are the best of an experiment's searches, and which trial each of them is.
select arm, searched, trial from finals where experiment = $name order by searched, trial, arm;
