-- The last line with a metric of each attempt of a job, and the last before the first that lies past $step.
select attempt, max(seq) as seq, min(seq) filter (step > $step) - 1 as before
from raw.metrics where rowid between $first and $last and job = $job group by attempt
