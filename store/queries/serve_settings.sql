-- Every setting of the runs (or of those of one experiment), and how many values it has among them; without it is one more.
with held as (
    select settings from raw.runs where $experiment is null or experiment = $experiment
), leaves as (
    select t.fullkey as path, t.value::varchar as value, t.type as kind
    from held, json_tree(held.settings) t where t.fullkey <> '$' and not contains(t.fullkey, '[')
)
select path, count(distinct value) + (count(*) < (select count(*) from held))::integer as n
from leaves group by path having not bool_or(kind = 'OBJECT') order by path;
