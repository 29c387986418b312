-- The arm that others of its experiment are compared with, as EXPERIMENT/ARM.
select experiment || '/' || baseline as name from experiments where baseline is not null;
