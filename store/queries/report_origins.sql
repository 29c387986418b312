-- Where and with what the jobs of an experiment ran.
select p.host, p.device, p.more ->> '$.cpu_model' as cpu_model, p.python, p.torch, p.timm, p.driver, p.git_commit, p.git_dirty,
    count(distinct p.job) as jobs
from run_jobs l join raw.runs r on r.run = l.run and r.experiment = $name join provenance p using (job)
join raw.chains c on c.job = p.job and c.attempt = p.attempt
group by all order by all;
