-- Files of an experiment that are not as they were written, of its jobs or its submission: what they told is left out.
select distinct d.file, d.what
from damaged d left join run_jobs l using (job) left join runs r using (run)
where r.experiment = $name or d.experiment = $name order by all;
