-- Where a job's values lie, nulls for one that has none: to look for them by this first, and then for a curve between the
-- two, reads one column of all rows; to look for the curve in all rows reads every one.
select min(rowid) as "first", max(rowid) as "last" from raw.metrics where job = $job
