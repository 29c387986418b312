-- What trainings began with: the state of another job, after how many epochs; null for one that began at its start.
select j.job, j.state, f.value::varchar as began
from jobs j left join facts f on f.job = j.job and f.name = 'begins'
where list_contains($jobs, j.job);
