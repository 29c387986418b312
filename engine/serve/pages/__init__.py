"""The pages: each takes what was asked, gives a View; its template has its name.

home        the experiments and the machine
experiment  arms by cells, what they mean, what is missing
curves      its learning curves as JSON
pictures    its charts and maps
origin      where a number comes from
runs        a table of runs to filter, sort, group and choose from
compare     arms or runs beside each other
run         one run: jobs, curves, log, origin
run_files   its curves, logs and files by themselves
queue       what runs where, what waits and why
teachers    what is known of the teachers
sql         a query and its answer
reports     reports, papers and frozen numbers
report      one of them, in a form
"""
