-- Every cell of an experiment with the runs behind it.
select c.arm, c.cell, c.metric, c.n, c.mean, c.std, c.low, c.high,
    (select list(r.run order by r.seed, r.run) from raw.runs r
     where r.experiment = c.experiment and r.arm = c.arm and r.cell = c.cell) as runs
from cells c where c.experiment = $name order by c.arm, c.cell, c.metric;
