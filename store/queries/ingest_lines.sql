-- One staged batch of journal lines (temp table `lines`) into the raw tables, each kind into its own.
insert into raw.metrics
select _job, _attempt, seq, name, step, epoch, try_cast(value ->> '$' as double), make_timestamp(("at" * 1e6)::bigint)
from lines where type = 'metric';

insert into raw.measurements
select _job, _attempt, seq, name, device, precision, batch_size, threads, try_cast(value ->> '$' as double), unit,
    try_cast(p5 ->> '$' as double), try_cast(p95 ->> '$' as double), n
from lines where type = 'measurement';

insert into raw.predictions
select _job, _attempt, seq, part, unnest(sample), unnest(label), unnest(predicted),
    unnest(list_transform(confidence, lambda text: try_cast(text as double)))
from lines where type = 'predictions';

insert into raw.teachers
select _job, _attempt, seq, part, name, try_cast(value ->> '$' as double) from lines where type = 'teacher';

insert into raw.facts select _job, _attempt, seq, name, value from lines where type = 'fact';

insert into raw.resumes
select _job, _attempt, seq, try_cast(attempt as integer), step, upto from lines where type = 'from';
