-- How far the journals of some jobs were read, by attempt: bytes, the last line with a metric, and what it went on from.
-- `upto` is the last line that counts of the attempt that it went on from, also where only a step was told.
with marks as (
    select job, attempt, bytes, compacted from raw.watermarks where list_contains($jobs, job)
), lasts as (
    select job, attempt, max(seq) as seq from raw.metrics where list_contains($jobs, job) group by job, attempt
), firsts as (
    select job, attempt, arg_min(from_attempt, seq) as source, arg_min(coalesce(upto, -1), seq) as upto,
        arg_min(step, seq) as step
    from raw.resumes where list_contains($jobs, job) group by job, attempt
), cuts as (
    select f.job, f.attempt, min(m.seq) - 1 as upto
    from firsts f join raw.metrics m on m.job = f.job and m.attempt = f.source and m.step > f.step
    where f.upto < 0 and list_contains($jobs, m.job) group by f.job, f.attempt
)
select m.job, m.attempt, m.bytes, m.compacted, coalesce(l.seq, 0) as seq, f.source,
    case when f.upto >= 0 then f.upto else c.upto end as upto
from marks m left join lasts l using (job, attempt) left join firsts f using (job, attempt)
left join cuts c using (job, attempt)
order by m.job, m.attempt
