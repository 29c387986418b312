-- The experiments that have a report, the newest first, and how many of their runs are done.
select e.experiment, e.title, count(r.run) as runs, count(*) filter (r.state = 'done') as done
from experiments e left join runs r using (experiment)
group by all order by max(e.submitted_at) desc, e.experiment
