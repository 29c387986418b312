-- How good the teachers are on each part of the data, by what uses them.
select distinct t.job, t.part, t.name, t.value, string_agg(distinct r.arm, ', ' order by r.arm) as arms,
    any_value(r.settings ->> '$.teacher.arch') as arch, r.split
from raw.runs r join run_jobs l using (run) join teachers t using (job)
where r.experiment = $name group by t.job, t.part, t.name, t.value, r.split order by all;
