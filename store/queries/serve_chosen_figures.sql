-- The figures of some runs.
select * from results where list_contains($runs, run);
