-- The last value of each metric that the networks of an experiment's runs logged, under its own name.
select r.run, m.name, m.last from raw.runs r join run_jobs l on l.run = r.run and l.role = 'student'
join metrics_last m on m.job = l.job
where r.experiment = $name order by r.position, m.name;
