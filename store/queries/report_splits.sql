-- Trainings that went on in micro-batches after running out of memory, by arm and cell.
select r.arm, r.cell, l.role, f.value as split, list(r.seed order by r.seed) as seeds
from raw.runs r join run_jobs l on l.run = r.run join facts f on f.job = l.job and f.name = 'micro_batch'
where r.experiment = $name group by all order by all;
