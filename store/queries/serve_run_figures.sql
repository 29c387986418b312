-- The row of `results` of a run.
select * from results where run = $run limit 1;
