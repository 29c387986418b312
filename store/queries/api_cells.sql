-- What the seeds of each arm at each cell come to, a row for each metric.
select * from cells where list_contains($names, experiment)
order by list_position($names, experiment), arm, cell, metric;
