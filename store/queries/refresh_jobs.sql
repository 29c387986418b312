-- What follows from the raw lines of the jobs in temp table `touched`: the chain that counts, and what hangs on it.
delete from raw.chains where job in (select job from touched);
insert into raw.chains
with recursive firsts as (
    -- An attempt goes on from one other; its first `from` line says which.
    select job, attempt, min(seq) as seq from raw.resumes where job in (select job from touched) group by job, attempt
), cuts as (
    -- A `from` line without a line number cuts before the first line that lies past its step.
    select r.job, r.attempt, r.from_attempt,
        coalesce(any_value(r.upto), min(m.seq) - 1, 9223372036854775807) as upto
    from firsts f join raw.resumes r using (job, attempt, seq)
    left join raw.metrics m
        on r.upto is null and m.job = r.job and m.attempt = r.from_attempt and m.step > r.step
    -- Backwards only, so that the recursion ends whatever a line says.
    where r.from_attempt < r.attempt
    group by r.job, r.attempt, r.from_attempt
), heads as (
    -- The committed attempt, else the newest that has written a line.
    select t.job, coalesce(any_value(w.attempt), max(b.attempt)) as attempt
    from touched t left join raw.winners w using (job)
    left join raw.watermarks b on b.job = t.job and b.bytes > 0
    group by t.job
), chain as (
    -- The largest bigint: not cut.
    select job, attempt, 9223372036854775807 as upto from heads where attempt is not null
    union all
    select c.job, cuts.from_attempt, cuts.upto from chain c join cuts on cuts.job = c.job and cuts.attempt = c.attempt
)
select job, attempt, upto from chain;

delete from raw.evaluations where job in (select job from touched);
insert into raw.evaluations
with lasts as (
    -- Structs compare field by field: the newest attempt first, then its last line.
    select p.job, p.part, max({'attempt': p.attempt, 'seq': p.seq}) as last
    from raw.predictions p join raw.chains c on p.job = c.job and p.attempt = c.attempt and p.seq <= c.upto
    where p.job in (select job from touched)
    group by p.job, p.part
)
select l.job, l.part, l.last.attempt, l.last.seq, count(*), count(*) filter (p.predicted = p.label)
from lasts l join raw.predictions p
    on p.job = l.job and p.part = l.part and p.attempt = l.last.attempt and p.seq = l.last.seq
group by all;

delete from metrics_last where job in (select job from touched);
insert into metrics_last
select m.job, m.name, arg_max(m.value, {'step': m.step, 'attempt': m.attempt, 'seq': m.seq}),
    -- DuckDB takes NaN for the largest number: it would be the best.
    min(m.value) filter (isfinite(m.value)), max(m.value) filter (isfinite(m.value)),
    count(*), count(*) filter (not isfinite(m.value))
from raw.metrics m join raw.chains c on m.job = c.job and m.attempt = c.attempt and m.seq <= c.upto
where m.job in (select job from touched)
group by m.job, m.name;
