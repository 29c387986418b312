-- The words of `search:` as an experiment has them; null where nothing is searched.
select json_extract(spec, '$.search')::varchar as search from experiments where experiment = $name;
