-- What was asked of an experiment's search: one row, none where nothing is searched.
select asked, stopped from searches where experiment = $name;
