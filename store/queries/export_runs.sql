-- The runs of an experiment with what they were, when their jobs ran (unix seconds), and by which code.
with ran as (
    select l.run, min(epoch(a.started_at)) as started, max(epoch(a.ended_at)) as ended
    from run_jobs l join jobs j using (job) join attempts a using (job)
    where l.role not in ('pack', 'targets', 'teacher') group by l.run
), made as (
    select l.run, array_to_string(list_sort(list_distinct(list(p.git_commit))), ', ') as commits,
        array_to_string(list_sort(list_distinct(list(p.code_digest))), ', ') as codes,
        array_to_string(list_sort(list_distinct(list(p.host))), ', ') as hosts,
        array_to_string(list_sort(list_distinct(list(p.device))), ', ') as devices
    from run_jobs l join provenance p using (job) join raw.chains c on c.job = p.job and c.attempt = p.attempt
    where l.role not in ('pack', 'targets') group by l.run
)
select r.run, r.arm, r.cell, r.seed, r.state, q.settings, t.started, t.ended, m.commits, m.codes, m.hosts, m.devices
from runs r join raw.runs q on q.run = r.run and q.experiment = r.experiment
left join ran t on t.run = r.run left join made m on m.run = r.run
where r.experiment = $name order by q.position;
