-- Which jobs make the networks of an experiment, and what each said of the images that its network
-- has seen: `told` is null where xp did not keep that yet.
select distinct r.arm, r.cell, l.role, j.job, f.value ->> '$.training' as told
from raw.runs r join run_jobs l using (run) join jobs j using (job)
left join facts f on f.job = j.job and f.name = 'lineage'
where r.experiment = $name and j.kind in ('train', 'prune', 'quantize', 'targets')
order by all;
