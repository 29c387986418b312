-- The rounds of every load of an experiment's measure jobs: images/s of the network (own) and of the one that was
-- measured in turn with it (base), how the network was called where that is not how reports show it (apart), and whether
-- the job found the calls of either one to spread widely (noisy).
with used as (
    select r.arm, r.cell, l.job, min(r.position) as place
    from raw.runs r join run_jobs l using (run)
    where r.experiment = $name and l.role = 'measure' group by all
), shown as (
    select job, value ->> '$.shown' as shown from facts where name = 'modes'
), restless as (
    select job, (told ->> '$.batch_size')::bigint as batch_size, (told ->> '$.threads')::bigint as threads,
        told ->> '$.mode' as mode
    from (select job, unnest(from_json(value -> '$.noisy', '["json"]')) as told from facts where name = 'machine')
)
select u.arm, u.cell, u.job, coalesce(s.apart, '') as apart, s.device, s.precision, s.batch_size, s.threads, s.round,
    s.images_per_second as own, s.baseline_images_per_second as base, coalesce(m.shown, 'eager') as shown,
    exists (from restless n where n.job = u.job and n.batch_size = s.batch_size and n.threads = s.threads
        and n.mode = coalesce(s.apart, m.shown, 'eager')) as noisy,
    -- A pruned network is one of its own, whatever it was pruned from.
    case when len(j.needs) = 0 then j.settings ->> '$.network' end as network, j.settings ->> '$.against' as against
from used u join speed_rounds_all s using (job) join jobs j using (job) left join shown m using (job)
order by u.place, u.job, s.batch_size, s.threads, apart, s.round;
