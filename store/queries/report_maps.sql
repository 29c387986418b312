-- The first explained run of each arm at each point of the matrix, what its maps show, and the names of the classes.
with firsts as (
    select r.arm, r.cell, arg_min(l.job, r.position) as job, arg_min(r.seed, r.position) as seed,
        arg_min(r.run, r.position) as run, min(r.position) as position
    from raw.runs r join run_jobs l using (run) join jobs j using (job)
    where r.experiment = $name and l.role = 'explain' and j.state = 'done'
    group by r.arm, r.cell
)
select f.arm, f.cell, f.job, f.seed, m.value as maps, b.value as boxes, k.value as looks,
    d.value as deletion, a.value as attention,
    (select any_value(c.value) from run_jobs l join facts c using (job) where l.run = f.run and c.name = 'classes') as classes
from firsts f left join facts m on m.job = f.job and m.name = 'maps'
left join facts b on b.job = f.job and b.name = 'boxes'
left join facts k on k.job = f.job and k.name = 'looks'
left join facts d on d.job = f.job and d.name = 'deletion'
left join facts a on a.job = f.job and a.name = 'attention'
order by f.position;
