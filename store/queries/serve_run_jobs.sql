-- The jobs of a run and what each is there for.
select job, role from run_jobs where run = $run order by role, job;
