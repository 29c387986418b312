-- One column of `results` for every run that has it.
with named as (
    select experiment, run, columns(lambda name: name = $name) as value from results
)
select * from named where value is not null;
