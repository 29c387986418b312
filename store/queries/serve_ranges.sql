-- Where each job's values lie: ids are hashes, so that without these a curve would be looked for in all rows.
select list(job) as jobs, list("first") as firsts, list("last") as lasts
from (select job, min(rowid) as "first", max(rowid) as "last" from raw.metrics group by job)
