-- The last validated accuracy of an experiment's runs.
select run, val_top1 as value from results where experiment = $name or experiment = $name || '/trials';
