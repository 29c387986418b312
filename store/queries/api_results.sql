-- The runs of some experiments with their figures, a column for each metric, in the order of their submissions.
select * from results where list_contains($names, experiment)
order by list_position($names, experiment), arm, cell, seed;
