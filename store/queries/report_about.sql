-- What an experiment is: one row. A job that several runs share is paid for once.
select title, baseline, strftime(submitted_at, '%Y-%m-%d %H:%M UTC') as submitted, submission, spec, imported,
    (select sum(seconds order by job) from jobs where kind in ('train', 'prune') and job in (
        select job from run_jobs where run in (select run from raw.runs where experiment = $name)
    )) as train_seconds
from experiments where experiment = $name;
