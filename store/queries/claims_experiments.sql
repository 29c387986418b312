-- The experiments that claims can be checked of.
select experiment from experiments order by experiment;
