-- The metrics that students of an experiment, and their recovery after pruning, logged by epoch: at which cells, and of
-- how many jobs.
select r.cell, m.name, count(distinct m.job) as jobs
from raw.runs r join raw.run_jobs l on l.run = r.run and l.experiment = r.experiment
join metrics_last m on m.job = l.job
where r.experiment = $name and l.role in ('student', 'prune') and m.n > 1
group by r.cell, m.name order by r.cell, m.name
