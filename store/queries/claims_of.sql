-- The claims of an experiment's newest submission.
select claim as id, text, metric, arm, against, expect, margin from claims where experiment = $name;
