-- The experiments with teachers, the newest first: their networks, and how many targets there are of them.
select e.experiment, e.title, e.submitted_at, count(distinct j.job) as targets,
    coalesce(string_agg(distinct j.settings ->> '$.network.arch', ', ' order by j.settings ->> '$.network.arch')
        filter (j.settings ->> '$.network.arch' is not null), '') as networks
from experiments e join raw.run_jobs l using (experiment) join jobs j using (job)
where j.kind = 'targets'
group by all order by e.submitted_at desc, e.experiment
