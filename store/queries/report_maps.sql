-- The first explained run of each arm at each point of the matrix.
select r.arm, r.cell, arg_min(l.job, r.position) as job, arg_min(r.seed, r.position) as seed
from raw.runs r join run_jobs l using (run) join jobs j using (job)
where r.experiment = $name and l.role = 'explain' and j.state = 'done'
group by r.arm, r.cell order by min(r.position);
