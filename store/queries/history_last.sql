-- What jobs logged last under a name; of any submission, as a job is the same in all of them.
select job, last as value from metrics_last where name = $metric and list_contains($jobs, job);
