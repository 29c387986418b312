-- All values that the jobs of a run logged step by step, metric by metric.
select l.role, m.name, list(m.step order by m.step, m."at") as steps, list(epoch(m."at") order by m.step, m."at") as times,
    list(m.value order by m.step, m."at") as "values"
from run_jobs l join metrics m using (job)
where l.run = $run group by all order by l.role, m.name;
