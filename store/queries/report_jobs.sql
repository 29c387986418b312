-- The jobs of an experiment that are not done, and why their last attempt ended.
select j.job, j.kind, j.state, count(distinct r.run) as runs, count(distinct a.attempt) as attempts,
    arg_max(coalesce(a.reason, a.outcome), a.attempt) as reason
from runs r join run_jobs l using (run) join jobs j using (job) left join attempts a using (job)
where r.experiment = $name and j.state <> 'done'
group by j.job, j.kind, j.state order by j.state, j.kind, j.job;
