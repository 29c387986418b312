-- The arm that a run belongs to, as the commands name it.
select experiment || '/' || arm as name from raw.runs where run = $run order by name limit 1;
