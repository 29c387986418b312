-- How many runs, or runs of one experiment, have each column of `results`.
select count(columns(*)) from results where $experiment is null or experiment = $experiment;
