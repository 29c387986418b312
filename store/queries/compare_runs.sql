-- The runs of one arm with their figures, and where and by which code their last network was made and measured.
select r.*, q.settings, f.job as final_job,
    (select string_agg(distinct coalesce(p.code_digest[:12], p.git_commit[:12], 'unknown'), ', ')
     from provenance p join raw.chains c on c.job = p.job and c.attempt = p.attempt
     where p.job in (select job from run_jobs l where l.run = r.run and l.role in ('student', 'prune'))) as code,
    (select string_agg(distinct p.data_digest[:12], ', ') from provenance p join raw.chains c on c.job = p.job and c.attempt = p.attempt
     where p.job in (select job from run_jobs l where l.run = r.run and l.role in ('student', 'prune'))) as images,
    (select string_agg(distinct p.device || ', torch ' || coalesce(p.torch, 'unknown'), '; ') from provenance p join raw.chains c on c.job = p.job and c.attempt = p.attempt
     where p.job in (select job from run_jobs l where l.run = r.run and l.role in ('student', 'prune'))) as train_device,
    (select string_agg(distinct m.device || ' ' || m.precision, ', ') from measurements m
     where m.job in (select job from run_jobs l where l.run = r.run and l.role = 'measure')) as measure_device
from results r join raw.runs q on q.run = r.run and q.experiment = r.experiment left join final_jobs f on f.run = r.run
where r.experiment = $experiment and r.arm = $arm order by q.position;
