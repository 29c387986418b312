-- The names of the test images of some jobs.
select job, list(sample order by sample) as samples from predictions
where part = 'test' and list_contains($jobs, job) group by job;
