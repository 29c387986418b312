-- The settings of some runs, and the jobs that made their networks in the order in which they did.
with made as (
    select run, list(job order by list_position(['student', 'prune', 'quantize'], role)) as jobs
    from run_jobs where role in ('student', 'prune', 'quantize') and list_contains($runs, run) group by run
)
select q.experiment, q.run, q.settings, coalesce(m.jobs, []) as jobs
from raw.runs q left join made m on m.run = q.run where list_contains($runs, q.run);
