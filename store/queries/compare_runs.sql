-- The runs of one arm with their figures, and where and by which code their last network was made and measured.
with ran as (
    select l.run, l.role = 'measure' as is_measure, p.data_digest[:12] as images,
        coalesce(p.code_digest[:12], p.git_commit[:12], 'unknown') as code,
        case p.device when 'cpu' then coalesce('cpu ' || (p.more ->> '$.cpu_model'), 'cpu') else p.device end
            || ', torch ' || coalesce(p.torch, 'unknown') as device
    from raw.runs q join run_jobs l on l.run = q.run join provenance p on p.job = l.job
    -- Only attempts that count: a lost one may have run elsewhere.
    join raw.chains c on c.job = p.job and c.attempt = p.attempt
    where q.experiment = $experiment and q.arm = $arm and l.role in ('student', 'prune', 'measure')
), around as (
    select run,
        string_agg(distinct code, ', ' order by code) filter (not is_measure) as code,
        string_agg(distinct images, ', ' order by images) filter (not is_measure) as images,
        string_agg(distinct device, '; ' order by device) filter (not is_measure) as train_device,
        string_agg(distinct code, ', ' order by code) filter (is_measure) as measure_code,
        string_agg(distinct device, '; ' order by device) filter (is_measure) as measure_device
    from ran group by run
)
select r.*, q.settings, f.job as final_job, a.* exclude (run),
    (select max(l.job) from run_jobs l where l.run = r.run and l.role = 'measure') as measure_job
from results r join raw.runs q on q.run = r.run and q.experiment = r.experiment
left join final_jobs f on f.run = r.run left join around a on a.run = r.run
where r.experiment = $experiment and r.arm = $arm order by q.position;
