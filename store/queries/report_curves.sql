-- The curves of the students, mean over seeds; the last value of an epoch is the epoch's.
with per_run as (
    select r.arm, r.cell, r.run, m.name, m.epoch, arg_max(m.value, m.step) as value
    from raw.runs r join run_jobs l using (run) join metrics m using (job)
    where r.experiment = $name and l.role = 'student' and m.name in ('val_top1', 'train_loss') and isfinite(m.value)
    group by all
)
select arm, cell, name, epoch, avg(value) as mean, count(*) as n from per_run group by all order by all;
