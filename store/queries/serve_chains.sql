-- The attempts of some jobs that count, each up to its line `upto`, and whether the job has ended.
select c.job, c.attempt, c.upto, j.state = 'done' as is_done from raw.chains c join jobs j using (job)
where list_contains($jobs, c.job) order by c.job, c.attempt;
