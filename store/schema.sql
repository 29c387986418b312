-- What results.duckdb holds. Schema `raw` is what was read, every attempt's lines; the plain names are what counts:
-- the lines of the committed (else newest) attempt and of those it went on from, each cut where the next one began.

create schema raw;
create table raw.meta (name varchar, value varchar);
-- What was read of each item, by how its files looked then; a settled one cannot change any more.
create table raw.seen (item varchar, signature varchar, settled boolean);
-- How many bytes of a journal are in the tables, moved by the transaction that put them there.
create table raw.watermarks (job varchar, attempt integer, bytes bigint, damaged bigint, compacted boolean);
create table raw.winners (job varchar, attempt integer);
-- What an attempt went on from: lines of `from_attempt` past `upto` were done again.
create table raw.resumes (job varchar, attempt integer, seq bigint, from_attempt integer, step bigint, upto bigint);
-- The attempts of a job that count, each up to its line `upto`.
create table raw.chains (job varchar, attempt integer, upto bigint);
create table raw.evaluations (
    job varchar, part varchar, attempt integer, seq bigint, images bigint, correct bigint
);
-- t(0.975, df), which DuckDB has no function for.
create table raw.t_quantiles (df integer, t double);

create table raw.metrics (
    job varchar, attempt integer, seq bigint, name varchar, step bigint, epoch integer, value double, "at" timestamp
);
create table raw.measurements (
    job varchar, attempt integer, seq bigint, name varchar, device varchar, precision varchar, batch_size integer,
    threads integer, value double, unit varchar, p5 double, p95 double, n integer
);
create table raw.predictions (
    job varchar, attempt integer, seq bigint, part varchar,
    sample varchar, label integer, predicted integer, confidence double
);
create table raw.teachers (job varchar, attempt integer, seq bigint, part varchar, name varchar, value double);
create table raw.facts (job varchar, attempt integer, seq bigint, name varchar, value json);
create table raw.runs (
    run varchar, experiment varchar, arm varchar, cell varchar, seed bigint, split varchar, settings json, position integer
);
create table raw.run_jobs (experiment varchar, run varchar, job varchar, role varchar);
create table raw.trials (
    experiment varchar, arm varchar, trial integer, rung integer, trial_arm varchar, stage varchar, why varchar,
    refused varchar, settings json, asked_at timestamp
);

-- Files that are not as they were written: what they told of an experiment or a job is left out everywhere else.
create table damaged (experiment varchar, job varchar, file varchar, what varchar);
create table experiments (
    experiment varchar, title varchar, baseline varchar, spec json, submitted_at timestamp, submission integer,
    imported varchar
);
create table claims (
    experiment varchar, claim varchar, text varchar, metric varchar, arm varchar, against varchar, expect varchar,
    margin double
);
create table searches (experiment varchar, asked integer, stopped boolean);
create table jobs (job varchar, kind varchar, state varchar, seconds double, needs varchar[], settings json, figures json);
create table attempts (
    job varchar, attempt integer, outcome varchar, reason varchar, host varchar, device varchar, slot varchar,
    started_at timestamp, ended_at timestamp
);
create table metrics_last (
    job varchar, name varchar, last double, best_min double, best_max double, n bigint, not_finite bigint
);
create table provenance (
    job varchar, attempt integer, git_commit varchar, git_dirty boolean, python varchar, torch varchar, timm varchar,
    host varchar, device varchar, driver varchar, spec_digest varchar, data_digest varchar, code_digest varchar, changes_digest varchar,
    more json
);
create table published (
    phase integer, section varchar, model varchar, attention varchar, teacher varchar, prune double, split varchar,
    batch_size integer, windows varchar, metric varchar, value double, unit varchar, change double, change_unit varchar,
    against varchar, relative_change double, relative_baseline double, absolute_change double, absolute_baseline double
);

create view metrics as
select m.job, m.attempt, m.name, m.step, m.epoch, m.value, m."at"
from raw.metrics m join raw.chains c on m.job = c.job and m.attempt = c.attempt and m.seq <= c.upto;

create view measurements as
select m.job, m.name, m.device, m.precision, m.batch_size, m.threads, m.value, m.unit, m.p5, m.p95, m.n
from raw.measurements m join raw.chains c on m.job = c.job and m.attempt = c.attempt and m.seq <= c.upto;

-- A part that was evaluated twice counts as it was the last time.
create view predictions as
select p.job, p.part, p.sample, p.label, p.predicted, p.confidence
from raw.predictions p
join raw.evaluations e on p.job = e.job and p.attempt = e.attempt and p.seq = e.seq and p.part = e.part;

create view teachers as
select t.job, t.part, t.name, arg_max(t.value, (t.attempt, t.seq)) as value
from raw.teachers t join raw.chains c on t.job = c.job and t.attempt = c.attempt and t.seq <= c.upto
group by all;

create view facts as
select f.job, f.name, arg_max(f.value, (f.attempt, f.seq)) as value
from raw.facts f join raw.chains c on f.job = c.job and f.attempt = c.attempt and f.seq <= c.upto
group by all;

-- Images/s of each round of a measure job, and of the baseline, which was measured in turn with it; null where it was
-- measured alone. A round is a process of its own for each network. `apart` is null for how the network is called that
-- `results` shows (on a GPU a replayed graph), else another way: eager, compiled.
create view speed_rounds_all as
with entries as (
    select job, unnest(value::json[]) as entry from facts where name = 'rounds'
), loads as (
    -- Field by field: what was measured before there was `apart` lacks it.
    select job, entry ->> '$.device' as device, entry ->> '$.precision' as "precision",
        (entry ->> '$.batch_size')::integer as batch_size, (entry ->> '$.threads')::integer as threads,
        entry ->> '$.apart' as apart, (entry -> '$.own')::double[] as own, (entry -> '$.base')::double[] as base
    from entries
)
select job, device, "precision", batch_size, threads, apart, unnest(range(1, len(own) + 1))::integer as round,
    unnest(own) as images_per_second,
    unnest(coalesce(base, list_transform(own, lambda one: null::double))) as baseline_images_per_second
from loads;

create view speed_rounds as
select job, device, "precision", batch_size, threads, round, images_per_second, baseline_images_per_second
from speed_rounds_all where apart is null;

-- How many times as fast as the baseline: geometric mean over rounds, with Student's t interval on the log scale.
create view speedups as
with ratios as (
    select job, device, "precision", batch_size, threads, count(*) as n,
        avg(ln(images_per_second / baseline_images_per_second) order by round) as mean,
        stddev_samp(ln(images_per_second / baseline_images_per_second) order by round) as std
    from speed_rounds where baseline_images_per_second is not null group by all
)
select job, device, "precision", batch_size, threads, n, exp(mean) as ratio,
    exp(mean - t * std / sqrt(n)) as low, exp(mean + t * std / sqrt(n)) as high
from ratios left join raw.t_quantiles q on q.df = least(n - 1, (select max(df) from raw.t_quantiles));

-- The images of a pack in its order: position counts from 0.
create view samples as
select job, substr(name, 9)::bigint + unnest(range(json_array_length(value)::bigint)) as position,
    unnest(value::varchar[]) as sample
from facts where name like 'samples %';

-- The manifest of each training job's split: which image lies in which part.
create view splits as
with letters as (
    select job, value ->> '$.digest' as digest, value ->> '$.pack' as pack,
        unnest(range(length(value ->> '$.letters'))) as position,
        unnest(string_split(value ->> '$.letters', '')) as letter
    from facts where name = 'split'
)
select l.job, l.digest, case l.letter when 't' then 'train' when 'v' then 'val' when 's' then 'test' else 'unused' end
    as part, s.sample
from letters l join samples s on s.job = l.pack and s.position = l.position;

create view run_jobs as select distinct run, job, role from raw.run_jobs;

create view runs as
with states as (
    select rj.run,
        bool_and(j.state = 'done') as is_done,
        bool_or(j.state = 'failed') as is_failed,
        bool_or(j.state = 'cancelled') as is_cancelled,
        bool_or(j.state = 'running') as is_running,
        bool_or(j.state = 'paused') as is_paused,
        bool_or(j.state = 'queued') as is_queued
    from run_jobs rj join jobs j using (job) group by rj.run
)
select r.run, r.experiment, r.arm, r.cell, r.seed, r.split,
    case when s.is_done then 'done' when s.is_failed then 'failed' when s.is_cancelled then 'cancelled'
        when s.is_running then 'running' when s.is_paused then 'paused' when s.is_queued then 'queued'
        else 'blocked' end as state,
    r.settings
from raw.runs r left join states s using (run);

-- The network that a run ends with: the quantised one, else the pruned one, else the student.
create view final_jobs as
select run, coalesce(max(job) filter (role = 'quantize'), max(job) filter (role = 'prune'),
        max(job) filter (role = 'student')) as job,
    max(job) filter (role = 'prune') is not null as is_pruned
from run_jobs group by run;

-- What a run's jobs logged, by name; `source` of each metric (store/metrics.py) picks from these. A name comes once for
-- each run, as a map demands. Marks in double braces stand for the metrics: results/schema.py fills them in.
create view results_live as
with final_series as (
    select f.run, map_from_entries(list({'name': m.name, 'value': m.last})) as series,
        map_from_entries(list({'name': m.name, 'value': m.best_max})) as best
    from final_jobs f join metrics_last m using (job)
    where m.name in ({{logged_names}}) group by f.run
), final_figures as (
    select run, map_from_entries(list({'name': name, 'value': value})) as figures from (
        select f.run, m.name, max(m.value) as value
        from final_jobs f join measurements m using (job) where m.name in ({{logged_names}}) group by all
    ) group by run
), measure_figures as (
    -- What was measured on a GPU counts before what was on a CPU, and more threads before fewer.
    select run, map_from_entries(list({'name': name, 'value': value})) as measured,
        map_from_entries(list({'name': name, 'value': at_largest})) as largest,
        map_from_entries(list({'name': name, 'value': at_smallest})) as smallest,
        map_from_entries(list({'name': name, 'value': largest_batch})) as largest_batches
    from (
        select rj.run, m.name, max(m.value) as value,
            arg_max(m.value, (m.device <> 'cpu', m.batch_size, m.threads)) as at_largest,
            arg_max(m.value, (m.device <> 'cpu', -m.batch_size, m.threads)) as at_smallest,
            arg_max(m.batch_size, (m.device <> 'cpu', m.batch_size, m.threads)) as largest_batch
        from run_jobs rj join measurements m using (job)
        where rj.role = 'measure' and m.name in ({{logged_names}}) group by all
    ) group by run
), explain_figures as (
    select run, map_from_entries(list({'name': name, 'value': value})) as explained from (
        select rj.run, m.name, max(m.value) as value
        from run_jobs rj join measurements m using (job)
        where rj.role = 'explain' and m.name in ({{logged_names}}) group by all
    ) group by run
), taught as (
    -- One that saw no split has figures over all images; its students log those of their own split.
    select run, map_from_entries(list({'name': name, 'value': value})) as teacher from (
        select rj.run, t.part || '_' || case rj.role when 'targets' then t.name else t.name[9:] end as name,
            max(t.value) as value
        from run_jobs rj join teachers t using (job)
        where rj.role = 'targets' or (rj.role = 'student' and starts_with(t.name, 'teacher_')) group by all
    ) where name in ({{logged_names}}) group by run
), tested as (
    -- Wilson's score interval over test images: what one run alone says. 1.96 is the normal quantile of 0.975.
    select f.run, e.images, 1.959963984540054 as z, e.correct / e.images as share, 1 + z * z / e.images as width
    from final_jobs f join raw.evaluations e on e.job = f.job and e.part = 'test'
), wilson as (
    select run, images, (share + z * z / (2 * images)) / width as centre,
        z * sqrt(share * (1 - share) / images + z * z / (4 * images ** 2)) / width as half
    from tested
), quickened as (
    -- Of the load that infer_speedup is of.
    select rj.run, arg_max(s.low, (s.device <> 'cpu', s.batch_size, s.threads)) as low,
        arg_max(s.high, (s.device <> 'cpu', s.batch_size, s.threads)) as high
    from run_jobs rj join speedups s using (job) where rj.role = 'measure' group by rj.run
), ran_out as (
    -- The smallest batch that did not fit: figures are of the largest that did.
    select rj.run, min(m.batch_size) as batch_size
    from run_jobs rj join measurements m using (job) where rj.role = 'measure' and m.name = 'infer_oom' group by rj.run
), spent as (
    select rj.run, sum(j.seconds order by j.job) filter (rj.role in ('student', 'prune')) as seconds
    from run_jobs rj join jobs j using (job) group by rj.run
)
select r.experiment, r.arm, r.cell, r.seed, r.split, r.run, r.state,
    {{metric_columns}},
    largest_batches['infer_images_per_second'] as infer_batch_size, o.batch_size as infer_oom_batch_size, k.low as speedup_low, k.high as speedup_high,
    w.images as test_images, w.centre - w.half as test_low, w.centre + w.half as test_high
from runs r
left join final_series fs on fs.run = r.run
left join final_figures ff on ff.run = r.run
left join measure_figures mf on mf.run = r.run
left join explain_figures ef on ef.run = r.run
left join taught t on t.run = r.run
left join quickened k on k.run = r.run
left join ran_out o on o.run = r.run
left join spent s on s.run = r.run
left join wilson w on w.run = r.run
left join raw.runs q on q.run = r.run and q.experiment = r.experiment
order by r.experiment, q.position;

-- Worked out once for each publication, so that a table over many thousand runs is read and not computed.
create table raw.results_now as select * from results_live;
create view results as select * from raw.results_now;

-- What a search tried: how an arm was drawn, why, why it was not trained, and its figures on all but the test images,
-- which are not for choosing. Its runs stand under the experiment NAME/trials.
create view trials as
with figures as (
    select columns(lambda name: not contains(name, 'test')) from results where ends_with(experiment, '/trials')
)
select t.experiment, t.arm, t.trial, t.rung, t.trial_arm, t.why, t.refused, t.asked_at, t.settings as drawn,
    case when t.refused is not null then 'refused' else f.state end as state, f.* exclude (experiment, arm, state)
from raw.trials t left join figures f on f.experiment = t.experiment || '/trials' and f.arm = t.trial_arm
where t.stage <> 'final' order by t.experiment, t.arm, t.trial, t.rung;

-- Which arms of an experiment are the best of its searches, trained anew, and from which trial each of them is.
create view finals as
select experiment, trial_arm as arm, arm as searched, trial, settings as drawn, asked_at
from raw.trials where stage = 'final' order by all;

-- Student's t over seeds: mean +- t(0.975, n - 1) * std / sqrt(n); one seed has neither a spread nor an interval.
create view cells as
with long as (
    select experiment, arm, cell, split, run, seed, metric, value from (
        select experiment, arm, cell, split, run, seed,
            {{metric_doubles}}
        from results
    ) unpivot (value for metric in ({{metric_names}}))
), sampled as (
    -- What one measurement says of all seeds is one sample of it.
    select long.* from long left join run_jobs m on m.run = long.run and m.role = 'measure'
    qualify row_number() over (
        partition by experiment, arm, cell, metric,
            case when metric in ({{once_names}}) then coalesce(m.job, long.run) else long.run end
        order by seed, long.run
    ) = 1
), spread as (
    select experiment, arm, cell, split, metric,
        count(*) filter (isfinite(value)) as n,
        -- In one order, so that the last bits are the same whenever it is asked.
        avg(value order by seed, run) filter (isfinite(value)) as mean,
        stddev_samp(value order by seed, run) filter (isfinite(value)) as std,
        count(*) filter (not isfinite(value)) as not_finite
    from sampled group by all
), halved as (
    -- Beyond the table its last row serves: t is the normal quantile there to three digits.
    select spread.*, t * std / sqrt(n) as half
    from spread left join raw.t_quantiles q on q.df = least(n - 1, (select max(df) from raw.t_quantiles))
)
-- An interval stays where its quantity does: shares on the logit scale, what is always above 0 on the log scale (delta
-- method); what may be below 0, as a gain, has the plain one. Without a spread, and at the very edge, there is nothing
-- to bend.
select experiment, arm, cell, metric, n, mean, std,
    case
        when half is null then null
        when metric in ({{share_names}}) and mean > 0 and mean < 1
            then 1 / (1 + (1 - mean) / mean * exp(least(half / (mean * (1 - mean)), 700)))
        when metric not in ({{share_names}}) and metric not in ({{signed_names}}) and mean > 0 then mean * exp(-least(half / mean, 700))
        else mean - half
    end as low,
    case
        when half is null then null
        when metric in ({{share_names}}) and mean > 0 and mean < 1
            then 1 / (1 + (1 - mean) / mean * exp(-least(half / (mean * (1 - mean)), 700)))
        when metric not in ({{share_names}}) and metric not in ({{signed_names}}) and mean > 0 then mean * exp(least(half / mean, 700))
        else mean + half
    end as high, not_finite, split
from halved;
