-- What some jobs measured.
select job, name, device, "precision", batch_size, threads, value, unit, p5, p95, n from measurements
where list_contains($jobs, job) order by job, name, device, "precision", batch_size, threads;
