-- One metric of many jobs that have ended, of each at most $parts points: the last of each part of its axis. A job that
-- did not log it has none. One look through all values, where a look for each job would be many.
with counted as materialized (
    select c.job, c.attempt, c.upto from raw.chains c join jobs j using (job)
    where j.state = 'done' and list_contains($jobs, c.job)
), points as materialized (
    select m.job, m.attempt::bigint * 1099511627776 + m.seq as place, m.value,
        case $axis when 'epoch' then m.epoch::double when 'at' then epoch(m."at") else m.step::double end as x
    from raw.metrics m join counted c on m.job = c.job and m.attempt = c.attempt and m.seq <= c.upto
    where m.name = $name
), spans as (
    select job, min(x) as low, max(x) as high from points group by job
), kept as (
    select p.job, max(p.x) as x, arg_max(p.value, p.place) as value
    from points p join spans s using (job)
    group by p.job, coalesce(least($parts - 1, floor((p.x - s.low) * ($parts / nullif(s.high - s.low, 0)))), 0)
)
select j.job, list(k.x order by k.x) filter (k.x is not null) as xs,
    list(k.value order by k.x) filter (k.x is not null) as "values"
from (select distinct job from counted) j left join kept k using (job) group by j.job order by j.job;
