-- What is logged step by step, by any job.
select distinct name from metrics_last order by name;
