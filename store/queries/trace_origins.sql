-- For each run of an arm the job that logged a metric (the last of its jobs that did; of a sum all of them), and how it
-- was run. The teacher's accuracy comes from its targets job, or from the student that logged it on its own split.
with logged as (
    select job, name from metrics_last union select job, name from measurements
    union select job, 'teacher_test_top1' from teachers where part = 'test' and name in ('top1', 'teacher_top1')
    union select job, unnest(['train_seconds', 'epochs_spent']) from jobs where kind in ('train', 'prune')
), chosen as (
    select l.run, l.job
    from run_jobs l join logged g on g.job = l.job and g.name = $metric
    join raw.runs r on r.run = l.run and r.experiment = $experiment and r.arm = $arm
    where l.role in ('measure', 'explain', 'quantize', 'prune', 'student') or (l.role = 'targets' and $metric = 'teacher_test_top1')
    qualify $metric in ('train_seconds', 'epochs_spent') or 1 = row_number() over (
        partition by l.run order by list_position(['targets', 'measure', 'explain', 'quantize', 'prune', 'student'], l.role)
    )
)
select c.run, string_agg(distinct c.job, ' and ' order by c.job) as job,
    array_to_string(list_sort(list_distinct(list(v.attempt)))::varchar[], ', ') as attempts,
    array_to_string(list_sort(list_distinct(list(
        case when p.git_commit is null then 'not from a checkout' else 'commit ' || p.git_commit end
        || case when p.git_dirty then ' with changes' else '' end
        || coalesce(', digest ' || p.code_digest[:12], '')
    ))), '; ') as code,
    list_sort(list_distinct(list(p.changes_digest))) as changes,
    array_to_string(list_sort(list_distinct(list(
        p.host || ' ' || coalesce(p.device, '') || coalesce(' ' || (p.more ->> '$.cpu_model'), '')
    ))), '; ') as machine
from chosen c join raw.chains v using (job) left join provenance p on p.job = v.job and p.attempt = v.attempt
group by c.run;
