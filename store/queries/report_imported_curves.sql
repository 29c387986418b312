-- The curves of another tool's runs by step: mean, least and largest over the seeds of an arm. At most six metrics, those
-- that most runs have with more than one value, the first twelve arms, and of each curve the last value of 200 parts.
with arms as (
    select arm, row_number() over (order by min(position)) as place from raw.runs where experiment = $name group by arm
), mine as (
    select r.arm, a.place, r.run, l.job
    from raw.runs r join arms a using (arm) join experiments e on e.experiment = r.experiment and e.imported is not null
    join run_jobs l on l.run = r.run
    where r.experiment = $name and r.cell = (select arg_min(cell, position) from raw.runs where experiment = $name)
), named as (
    select m.name from metrics_last m where m.job in (select job from mine) and m.n > 1
    group by m.name order by count(*) desc, m.name limit 6
), points as (
    select i.arm, i.place, i.run, m.name, m.step, arg_max(m.value, m."at") as value
    from mine i join metrics m on m.job = i.job join named using (name)
    where i.place <= 12 and isfinite(m.value) group by all
), parts as (
    select p.*, (step - min(step) over w) // greatest(1, ceil((max(step) over w - min(step) over w + 1) / 200)::bigint) as part
    from points p window w as (partition by name)
), lasts as (
    select arm, place, run, name, part, max(step) as step, arg_max(value, step) as value from parts group by all
)
select arm, place, name, max(step) as step, avg(value order by run) as mean, min(value) as least, max(value) as most, count(*) as n,
    (select count(*) from arms) as arms
from lasts group by arm, place, name, part order by name, place, step;
