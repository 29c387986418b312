-- The curves of the students and of their recovery after pruning, over seeds: mean, least and largest, how many have
-- logged an epoch, of how many that have logged any; the last value of an epoch is the epoch's.
with per_run as (
    select r.arm, r.cell, r.run, l.role, m.name, m.epoch, arg_max(m.value, m.step) as value
    from raw.runs r join run_jobs l using (run) join metrics m using (job)
    where r.experiment = $name and l.role in ('student', 'prune') and m.name in ('val_top1', 'train_loss')
        and isfinite(m.value)
    group by all
), means as (
    select arm, cell, role, name, epoch, avg(value order by run) as mean, min(value) as least, max(value) as most, count(*) as n
    from per_run group by all
)
select *, max(n) over (partition by arm, cell, name) as seeds from means order by all;
