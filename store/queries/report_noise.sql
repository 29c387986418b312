-- Arms whose speeds were measured while their rounds were far apart, by arm and cell.
select r.arm, r.cell, l.job, f.value ->> '$.noisy' as noisy
from raw.runs r join run_jobs l on l.run = r.run join facts f on f.job = l.job and f.name = 'machine'
where r.experiment = $name and l.role = 'measure' and coalesce(f.value ->> '$.noisy', '[]') <> '[]'
group by all order by all;
