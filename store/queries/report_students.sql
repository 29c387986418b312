-- How near the final network of each run came to its teacher, over seeds: mean, least and largest.
select r.arm, r.cell, t.part, t.name, avg(t.value order by r.run) as mean, min(t.value) as least, max(t.value) as most, count(*) as n
from raw.runs r join final_jobs f using (run) join teachers t on t.job = f.job
where r.experiment = $name and t.name in ('agreement', 'divergence', 'calibration')
group by all order by all;
