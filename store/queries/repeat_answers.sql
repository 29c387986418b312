-- What networks said of each image in the evaluations of jobs.
select job, part, sample, predicted from predictions where list_contains($jobs, job) order by job, part, sample;
