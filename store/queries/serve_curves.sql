-- Curves of a job for a screen of $width parts: of each part the first, last, lowest and highest point, and the first
-- that is not finite (engine/serve/thinning.py). The chain that counts is given: $attempts[i] up to its line $uptos[i].
-- No names are all names. Its rows lie between $first and $last; `place` orders points over the attempts of a chain.
with links as (
    select unnest($attempts::integer[]) as attempt, unnest($uptos::bigint[]) as upto
), points as materialized (
    select m.name, m.attempt::bigint * 1099511627776 + m.seq as place, m.step, m.epoch, m."at", m.value,
        case $axis when 'epoch' then m.epoch::double when 'at' then epoch(m."at") else m.step::double end as x
    from raw.metrics m join links l on m.attempt = l.attempt and m.seq <= l.upto
    where m.rowid between $first and $last and m.job = $job
        and (len($names::varchar[]) = 0 or list_contains($names, m.name))
), spans as (
    select name, min(x) as low, max(x) as high, count(*) as n from points group by name
), parts as (
    select p.name, p.place, p.value,
        coalesce(least($width - 1, floor((p.x - s.low) * ($width / nullif(s.high - s.low, 0)))), 0) as part
    from points p join spans s using (name) where s.n > 4 * $width
), kept as (
    select unnest([
        min(place), max(place), arg_min(place, value) filter (isfinite(value)),
        arg_max(place, value) filter (isfinite(value)), min(place) filter (not isfinite(value))
    ]) as place
    from parts group by name, part
), shown as (
    select p.*, s.n from points p join spans s using (name)
    where s.n <= 4 * $width or p.place in (select place from kept)
)
select name, any_value(n) as n, list(place order by place) as places, list(step order by place) as steps,
    list(epoch order by place) as epochs, list(epoch("at") order by place) as times, list(value order by place) as "values"
from shown group by name order by name
