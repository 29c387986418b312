-- The runs of an experiment, or of one arm of it, with their figures, and where, how and by which code their last network was made and measured.
with split as (
    select job, value ->> '$.images' as at_once from facts where name = 'micro_batch'
), ran as (
    select l.run, l.role = 'measure' as is_measure, p.data_digest[:12] as images,
        coalesce(p.code_digest[:12], p.git_commit[:12], 'unknown') as code,
        case p.device when 'cpu' then coalesce('cpu ' || (p.more ->> '$.cpu_model'), 'cpu') else p.device end as device,
        p.driver, p.torch, p.timm, p.host, s.at_once, coalesce(p.more ->> '$.details', '{}') as details
    from raw.runs q join run_jobs l on l.run = q.run join provenance p on p.job = l.job
    -- Only attempts that count: a lost one may have run elsewhere.
    join raw.chains c on c.job = p.job and c.attempt = p.attempt
    left join split s on s.job = l.job
    where q.experiment = $experiment and ($arm is null or q.arm = $arm) and l.role in ('student', 'prune', 'quantize', 'measure')
), told as (
    select run, is_measure,
        string_agg(distinct code, ', ' order by code) as code,
        string_agg(distinct images, ', ' order by images) as images,
        string_agg(distinct device, '; ' order by device) as device,
        string_agg(distinct driver, ', ' order by driver) as driver,
        string_agg(distinct torch, ', ' order by torch) as torch,
        string_agg(distinct timm, ', ' order by timm) as timm,
        string_agg(distinct host, ', ' order by host) as host,
        string_agg(distinct at_once, ', ' order by at_once) as at_once,
        max(details) as details
    from ran group by run, is_measure
), tried as (
    -- What the best of an arm was chosen from. Trials of unlike lengths are one trial: how long they went is told.
    select arm, count(distinct trial)::varchar || coalesce(
            ' of up to ' || max(try_cast(regexp_extract(trial_arm, '-t\d+-e(\d+)$', 1) as integer)) || ' epochs', ''
        ) as trials,
        list_sort(list_distinct(flatten(list(json_keys(settings))))) as drawn
    from raw.trials where experiment = $experiment and refused is null and stage <> 'final' group by arm
)
select r.*, q.settings, f.job as final_job,
    t.code, t.images, t.device as train_device, t.driver as train_driver, t.torch as train_torch,
    t.timm as train_timm, t.host as train_host, t.at_once, t.details as train_details,
    m.code as measure_code, m.device as measure_device, m.driver as measure_driver, m.torch as measure_torch,
    m.timm as measure_timm, m.host as measure_host, m.details as measure_details,
    (select max(l.job) from run_jobs l where l.run = r.run and l.role = 'measure') as measure_job,
    s.trials, s.drawn
from results r join raw.runs q on q.run = r.run and q.experiment = r.experiment
left join final_jobs f on f.run = r.run
left join told t on t.run = r.run and not t.is_measure
left join told m on m.run = r.run and m.is_measure
left join finals w on w.experiment = r.experiment and w.arm = r.arm
left join tried s on s.arm = w.searched
where r.experiment = $experiment and ($arm is null or r.arm = $arm) order by q.position;
