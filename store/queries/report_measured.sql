-- What measure jobs say of the networks of an experiment, by arm, point and load: each figure with its 95th percentile.
select distinct r.arm, r.cell, l.job, m.name, m.device, m.precision, m.batch_size, m.threads, m.value, m.p95
from raw.runs r join run_jobs l using (run) join measurements m using (job)
where r.experiment = $name and l.role = 'measure' order by all;
