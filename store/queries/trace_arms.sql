-- Every arm that there is, as the commands name it.
select distinct experiment || '/' || arm as name from runs order by name;
