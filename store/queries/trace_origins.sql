-- For each run of an arm the job that logged a metric (the last of its jobs that did), and how that job was run.
with logged as (
    select job, name from metrics_last union select job, name from measurements
    union select job, 'teacher_test_top1' from teachers union select job, 'train_seconds' from jobs where kind in ('train', 'prune')
), chosen as (
    select l.run, arg_max(l.job, case l.role when 'measure' then 3 when 'prune' then 2 when 'student' then 1 else 0 end) as job
    from run_jobs l join logged g on g.job = l.job and g.name = $metric
    join raw.runs r on r.run = l.run and r.experiment = $experiment and r.arm = $arm
    group by l.run
)
select c.run, c.job, string_agg(distinct v.attempt::varchar, ', ' order by v.attempt::varchar) as attempts,
    string_agg(distinct case when p.git_commit is null then 'not from a checkout' else 'commit ' || p.git_commit end
        || case when p.git_dirty then ' with changes' else '' end
        || coalesce(', digest ' || p.code_digest[:12], ''), '; ') as code,
    list_sort(list_distinct(list(p.changes_digest))) as changes,
    string_agg(distinct p.host || ' ' || coalesce(p.device, '') || coalesce(' ' || (p.more ->> '$.cpu_model'), ''), '; ')
        as machine
from chosen c join raw.chains v using (job) left join provenance p on p.job = v.job and p.attempt = v.attempt
group by c.run, c.job;
