-- One batch of journal lines (temp table `lines`) into the raw tables, each kind into its own.
insert into raw.metrics select job, attempt, seq, name, step, epoch, value, "at" from lines where type = 'metric';

insert into raw.measurements
select job, attempt, seq, name, device, precision, batch_size, threads, value, unit, p5, p95, n
from lines where type = 'measurement';

insert into raw.predictions
select job, attempt, seq, part, unnest(sample), unnest(label), unnest(predicted), unnest(confidence)
from lines where type = 'predictions';

insert into raw.teachers select job, attempt, seq, part, name, value from lines where type = 'teacher';

insert into raw.facts select job, attempt, seq, name, fact from lines where type = 'fact';

insert into raw.resumes select job, attempt, seq, from_attempt, step, upto from lines where type = 'from';
