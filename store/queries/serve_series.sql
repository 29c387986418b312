-- The last, the lowest and the highest value that a run's networks logged of a metric: of the network that it ends with, else of its student.
select l.run, arg_max(m.last, l.role <> 'student') as last, arg_max(m.best_min, l.role <> 'student') as lowest,
    arg_max(m.best_max, l.role <> 'student') as highest
from run_jobs l join metrics_last m using (job)
where l.role in ('student', 'prune', 'quantize') and m.name = $name group by l.run;
