-- What some jobs logged step by step, and how many values of it.
select name, max(n) as n from metrics_last where list_contains($jobs, job) group by name order by name;
