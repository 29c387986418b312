-- The figures of one run.
select * from results where run = $run;
