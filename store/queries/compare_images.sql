-- The test images of some jobs in one order, with what each job made of them.
select job, list(sample order by sample, label) as samples, list(label order by sample, label) as labels,
    list(predicted = label order by sample, label) as correct
from predictions where part = 'test' and list_contains($jobs, job) group by job;
