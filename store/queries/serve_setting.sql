-- One setting of every run, as JSON.
select experiment, run, json_extract(settings, $path)::varchar as value from raw.runs;
