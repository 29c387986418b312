-- The last network of each run of an experiment that has a test accuracy, in the order of its spec.
select r.arm, r.cell, r.seed, f.job, r.test_top1
from results r join final_jobs f using (run) join raw.runs q on q.run = r.run and q.experiment = r.experiment
where r.experiment = $name and r.test_top1 is not null order by q.position;
