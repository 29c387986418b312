-- By bins of confidence: how many images, how many of them right, how sure on average (logged by each targets job).
select distinct f.job, f.value as parts
from raw.runs r join run_jobs l using (run) join facts f using (job)
where r.experiment = $name and f.name = 'reliability' order by f.job;
