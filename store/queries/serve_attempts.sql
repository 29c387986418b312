-- The attempts of some jobs, as they were published.
select job, attempt, coalesce(slot, '') as slot, epoch(started_at) as started_at, epoch(ended_at) as ended_at, outcome,
    coalesce(reason, '') as reason, host, device
from attempts where list_contains($jobs, job) order by job, attempt;
