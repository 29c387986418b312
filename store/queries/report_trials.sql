-- The trials of an experiment's searches in the order in which they were asked for, each rung a row of its own: their
-- figures of `metrics`, and what was trained for them. A training is known by its job: several trials may share it. Of
-- one that has no result the time of its attempts counts.
with spent as (
    select job, max(slot) as slot, bool_or(device <> 'cpu') as is_gpu,
        sum(epoch(ended_at - started_at) order by attempt) as seconds
    from attempts group by job
), trained as (
    select r.run, list({
        'job': j.job, 'seconds': coalesce(j.seconds, s.seconds), 'is_gpu': coalesce(s.is_gpu, false),
        'slots': 1 + length(regexp_replace(coalesce(s.slot, ''), '[^,]', '', 'g'))
    } order by j.job) as work
    from run_jobs r join jobs j using (job) left join spent s using (job)
    where r.role in ('student', 'prune') group by r.run
)
select t.arm, t.trial, t.rung, t.trial_arm, t.why, t.refused, t.state, t.drawn, t.epochs_spent as epochs,
    w.work, columns(lambda name: list_contains($metrics, name))
from trials t left join trained w using (run)
where t.experiment = $name order by t.asked_at, t.arm, t.trial, t.rung;
