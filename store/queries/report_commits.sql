-- The code that each run of an experiment was made with: every commit of an attempt that counts, with its digest.
select r.run, array_to_string(list_sort(list_distinct(list(
    coalesce(p.git_commit[:12], 'not from a checkout') || case when p.git_dirty then ' with changes' else '' end
    || coalesce(', digest ' || p.code_digest[:12], '')
))), '; ') as code
from raw.runs r join run_jobs l using (run) join raw.chains v using (job)
join provenance p on p.job = v.job and p.attempt = v.attempt
where r.experiment = $name group by r.run order by r.run;
