-- Every run of an experiment in the order of its spec, with its figures.
select r.*, q.settings
from results r join raw.runs q on q.run = r.run and q.experiment = r.experiment
where r.experiment = $name order by q.position;
