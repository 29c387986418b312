-- Where the attempts of some jobs ran, by which code, and whether they count.
select p.job, p.attempt, p.git_commit, p.git_dirty, p.python, p.torch, p.timm, p.host, p.device, p.driver,
    p.spec_digest, p.data_digest, p.code_digest, c.job is not null as counts
from provenance p left join raw.chains c on c.job = p.job and c.attempt = p.attempt
where list_contains($jobs, p.job) order by p.job, p.attempt;
