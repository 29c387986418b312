-- A run in each experiment that has it, newest first, with its settings and what its networks said of each part of the data.
with told as (
    select f.run, list({'part': e.part, 'images': e.images, 'correct': e.correct} order by e.part) as parts
    from final_jobs f join raw.evaluations e on e.job = f.job where f.run = $run group by f.run
)
select q.run, q.experiment, q.arm, q.cell, q.seed, q.split, q.settings, t.parts
from raw.runs q join experiments e on e.experiment = split_part(q.experiment, '/', 1) left join told t on t.run = q.run
where q.run = $run order by e.submitted_at desc;
