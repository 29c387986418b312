-- What was tried for each searched arm: how many trials, how many were not trained, which settings were drawn. A trial
-- that went on for longer counts once, as it began.
select arm, count(*) filter (where refused is null) as trials, count(*) filter (where refused is not null) as refused,
    array_to_string(list_sort(list_distinct(flatten(list(json_keys(drawn))))), ', ') as paths
from trials where experiment = $name and rung = 0 and why <> 'exhausted' group by arm order by arm;
