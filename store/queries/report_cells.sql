-- Mean, spread and interval of each figure in each cell.
select arm, cell, metric, n, mean, std, low, high, not_finite from cells where experiment = $name order by all;
