-- Test accuracy of each arm with its interval, and how long a training took
-- Rows of this query are `rows` in accuracy.*.j2. $names are the experiments of `xp report`, $name is the first.
-- Tables and columns: xp sql "describe results"; xp sql "describe cells"; xp sql "show tables"
select cells.experiment, cells.arm, cells.cell, cells.n, cells.mean, cells.low, cells.high,
       (select avg(results.train_seconds) from results
        where results.experiment = cells.experiment and results.arm = cells.arm and results.cell = cells.cell) as seconds
from cells
where cells.experiment in (select unnest($names)) and cells.metric = 'test_top1'
order by cells.experiment, cells.cell, cells.mean desc, cells.arm
