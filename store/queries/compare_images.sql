-- The test images of some jobs in one order: what tells them and their labels from others, and a 1 for each that a job
-- told right. The names themselves, of which there are thousands for each job, stay in the store.
with told as (
    select job, list({'sample': sample, 'label': label, 'is_right': predicted = label} order by sample, label) as images
    from predictions where part = 'test' and job in (select unnest($jobs)) group by job
)
select job, md5(list_transform(images, lambda one: (one.sample, one.label))::varchar) as images,
    array_to_string(list_transform(images, lambda one: coalesce(one.is_right, false)::integer), '') as correct
from told;
