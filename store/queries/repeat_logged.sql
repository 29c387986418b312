-- What jobs logged step by step, each value once.
select job, name, step, value from metrics where list_contains($jobs, job) order by job, name, step, epoch;
