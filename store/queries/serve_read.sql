-- How far the journals of some jobs were read, by attempt: bytes, and by its first line that says so what it went on
-- from: an attempt, up to its line `upto`, where only a step was told up to that.
with firsts as (
    select job, attempt, arg_min(from_attempt, seq) as source, arg_min(coalesce(upto, -1), seq) as upto,
        arg_min(step, seq) as step
    from raw.resumes where list_contains($jobs, job) group by job, attempt
)
select m.job, m.attempt, m.bytes, m.compacted, f.source, nullif(f.upto, -1) as upto, f.step
from raw.watermarks m left join firsts f using (job, attempt)
where list_contains($jobs, m.job) order by m.job, m.attempt
