-- What was packed and how it was split: the facts `pack` and `split` of an experiment's jobs, each that differs once.
select distinct f.name, f.value
from run_jobs l join raw.runs r on r.run = l.run and r.experiment = $name join facts f on f.job = l.job
where f.name in ('pack', 'split')
order by all;
