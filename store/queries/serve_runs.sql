-- Every run with its state, newest experiments first, and the jobs whose figures it has: the network that it ends with, and its measurement.
-- Runs of trials come after those of the experiment that they are trials of.
with measured as (
    select run, max(job) as job from run_jobs where role = 'measure' group by run
)
select q.run, q.experiment, q.arm, q.cell, q.seed, q.split, r.state, f.job as final_job, m.job as measure_job
from raw.runs q join runs r on r.run = q.run and r.experiment = q.experiment
join experiments e on e.experiment = split_part(q.experiment, '/', 1)
left join final_jobs f on f.run = q.run
left join measured m on m.run = q.run
order by e.submitted_at desc, q.experiment, q.position;
