-- The settings of each arm at each point of an experiment, in the order of its spec.
select arm, cell, any_value(settings) as settings from raw.runs where experiment = $experiment
group by arm, cell order by min(position);
