-- The rounds of measure jobs under the load that `results` shows: the largest batch, or the smallest for a latency;
-- called as it shows ($apart null), or in another way.
-- A pruned network is one of its own, whatever it was pruned from.
select s.job, s.round, s.images_per_second as own, s.baseline_images_per_second as base,
    case when len(j.needs) = 0 then j.settings ->> '$.network' end as network, j.settings ->> '$.against' as against
from speed_rounds_all s join jobs j using (job)
where list_contains($jobs, s.job) and s.apart is not distinct from $apart
qualify 1 = rank() over (
    partition by s.job
    order by s.device <> 'cpu' desc, case when $smallest then -s.batch_size else s.batch_size end desc, s.threads desc
)
order by s.job, s.round;
