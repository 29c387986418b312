-- The names under which students of some experiments, and their recovery after pruning, have logged anything.
select distinct m.name
from runs r join run_jobs l using (run) join metrics_last m using (job)
where list_contains($names, r.experiment) and l.role in ('student', 'prune')
order by m.name;
