-- The newest experiment that has many runs.
select e.experiment from experiments e join raw.runs r using (experiment)
group by e.experiment, e.submitted_at having count(*) >= $least order by e.submitted_at desc limit 1
