-- A metric in every cell of an arm.
select cell, n, mean, std, low, high from cells
where experiment = $experiment and arm = $arm and metric = $metric order by cell;
