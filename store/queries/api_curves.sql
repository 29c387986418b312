-- What the student of each run, and its recovery after pruning, logged under a name: the last value of each epoch.
with per_epoch as (
    select r.experiment, r.arm, r.cell, r.seed, l.role, m.epoch, arg_max(m.value, m.step) as value, r.run
    from runs r join run_jobs l using (run) join metrics m using (job)
    where list_contains($names, r.experiment) and l.role in ('student', 'prune') and m.name = $metric
    group by all
)
select * from per_epoch order by list_position($names, experiment), arm, cell, seed, role desc, epoch;
