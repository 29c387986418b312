-- What the teachers of an experiment are like on each part of the data, whom they teach, and whose students hear them
-- without an assistant between. Those that saw no split have figures over all images; on the parts of a split their
-- students logged them.
with used as (
    select distinct r.arm, r.split, l.job, l.role,
        starts_with(l.role, 'assistant_') or (l.role = 'targets' and a.run is not null) as is_assistant
    from raw.runs r join run_jobs l using (run) join jobs j using (job)
    left join run_jobs a on a.run = r.run and a.role = 'assistant_1'
    where r.experiment = $name and j.kind = 'targets'
), arms as (
    select job, split, string_agg(distinct arm, ', ' order by arm) as arms,
        string_agg(distinct arm, ', ' order by arm) filter (where role = 'targets') as heard_by,
        bool_and(role = 'reference') as is_reference, bool_or(is_assistant) as is_assistant
    from used group by job, split
), said as (
    select a.job, a.split, t.part, t.name, t.value from arms a join teachers t using (job)
    union
    -- A student logs its teacher's `top1` as `teacher_top1`.
    select s.job, r.split, t.part, t.name[9:], t.value
    from raw.runs r
    join run_jobs s on s.run = r.run and s.role = 'targets'
    join run_jobs l on l.run = r.run and l.role = 'student'
    join teachers t on t.job = l.job and starts_with(t.name, 'teacher_')
    where r.experiment = $name
)
select s.job, s.split, s.part, s.name, any_value(s.value) as value, any_value(a.arms) as arms,
    any_value(coalesce(a.heard_by, '')) as heard_by, any_value(a.is_reference) as is_reference,
    any_value(a.is_assistant) as is_assistant,
    -- Known is what was trained here from first weights; all else has seen what nobody told.
    not bool_or(exists (
        select 1 from jobs t where t.kind = 'train' and list_contains(j.needs, t.job)
        and coalesce(t.settings ->> '$.network.weights', 'none') = 'none'
    )) as is_unknown,
    any_value(j.settings ->> '$.network.arch') as arch,
    any_value(coalesce((j.settings ->> '$.logit_scale')::double, 1.0)) as scale
from said s join arms a using (job, split) join jobs j using (job)
group by s.job, s.split, s.part, s.name order by all;
