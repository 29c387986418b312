-- The finished runs of an experiment in the order of its spec, and the job that left each run's last network.
select r.arm, r.cell, r.seed, r.settings, f.job
from raw.runs r join final_jobs f using (run) join jobs j on j.job = f.job
where r.experiment = $name and j.state = 'done' order by r.position;
