-- One metric of the students of a cell over epochs (counted from 1), recovery after pruning behind the training: mean,
-- least and largest over seeds, how many have logged an epoch, of how many that have logged any. Of more than $most
-- epochs, the last of every few. The last value of an epoch is the epoch's.
with mine as (
    select r.arm, r.run, l.role, l.job, min(r.position) over (partition by r.arm) as place,
        case l.role when 'prune' then coalesce((r.settings ->> '$.train.epochs')::integer, 0) else 0 end as before
    from raw.runs r join raw.run_jobs l on l.run = r.run and l.experiment = r.experiment
    where r.experiment = $name and r.cell = $cell and l.role in ('student', 'prune')
), logged as materialized (
    select job, epoch, arg_max(value, step) as value from metrics
    where name = $metric and epoch is not null and isfinite(value) and job in (select job from mine)
    group by job, epoch
), placed as (
    select m.arm, m.place, m.run, m.role, m.before, l.epoch + 1 + m.before as epoch, l.value
    from mine m join logged l using (job)
), thinned as (
    select p.*, (epoch - 1) // greatest(1, ceil((select max(epoch) from placed) / $most)::bigint) as bucket from placed p
), per_run as (
    select arm, place, run, max(before) as before, bucket, max(epoch) as epoch, arg_max(value, epoch) as value
    from thinned group by arm, place, run, bucket
), means as (
    select arm, place, max(before) as before, bucket, max(epoch) as epoch, avg(value order by run) as mean, min(value) as least,
        max(value) as most, count(*) as n
    from per_run group by arm, place, bucket
)
select arm, max(before) over (partition by arm) as before, epoch, mean, least, most, n,
    max(n) over (partition by arm) as seeds
from means order by place, arm, epoch
