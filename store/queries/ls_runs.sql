-- The figures of an experiment's runs, a column for each metric.
select * from results where experiment = $name;
