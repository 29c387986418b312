-- The names under which jobs logged anything.
select distinct name from metrics_last where list_contains($jobs, job) order by name;
