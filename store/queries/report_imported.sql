-- The last value of each metric that runs of another tool logged, over the seeds of an arm; empty for what xp ran. At most
-- the eight metrics that most runs have; `names` is how many there are.
with mine as (
    select r.arm, r.cell, r.seed, r.run, r.position, m.name, m.last, m.n as logged
    from raw.runs r join experiments e on e.experiment = r.experiment and e.imported is not null
    join run_jobs l on l.run = r.run join metrics_last m on m.job = l.job
    where r.experiment = $name
), ranked as (
    select name, row_number() over (order by count(distinct run) desc, name) as place, count(*) over () as names
    from mine group by name
)
select arm, cell, name, place, names, min(position) as position, count(*) filter (isfinite(last)) as n,
    avg(last order by seed, run) filter (isfinite(last)) as mean,
    stddev_samp(last order by seed, run) filter (isfinite(last)) as std, max(logged) as logged
from mine join ranked using (name) where place <= 8
group by all order by position, arm, cell, place;
