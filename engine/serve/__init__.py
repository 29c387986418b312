"""The dashboard: takes a home, gives pages that stay true while jobs run, and the orders a person may give.

    view       what a page asks and what it gives
    site       a home as the pages read it: one snapshot held open for all
    kept       what takes long and is made once
    apart      what takes seconds of Python, in a process of its own
    readings   an experiment as its report says it
    drawings   its charts as pictures
    tables     its tables, sorted as was asked
    lacks      what it lacks
    searches   what its search tried, and the best so far
    making     reports in their forms
    machine    what the machine has and does
    rendering  a view through its template, whole or one live part
    routes     which page is at which address
    pages      the pages, a file each
    run_rows   every run with its state now, and columns by name
    trial_runs  as which the runs of trials stand, and which of their figures are not shown
    filtering  what is typed over a table of runs
    chosen     what is put side by side
    run_parts  one run: its jobs and attempts now
    curves     curves as the charts' script draws them
    growing    what came since, of charts that grow
    artifacts  what an attempt left to look at
    grouping   means and intervals of runs in groups
    actions    orders by clicking
    query_runs  queries of a person that run now, to be cancelled
    paging     long lists in pages
    queue_rows  what runs, and one page of what does not
    points     curves as JSON for a page's script
    deltas     new points by cursor
    live       running jobs' points as their journals grow
    thinning   curves for a screen
    streams    what changed, as server-sent events
    app        all of it as one ASGI application
    guard      what stands before it: everything below, in its order
    shapes     what a request may look like
    access     who may read and who may order
    token      what orders need; who guesses is slowed down
    login      the page that asks for it, where reading needs it too
    headers    what every answer tells the browser
    refusals   what is refused, and how that is said
    connections  the end of patience with one connection
    starting   a port, a process

A page is a function in pages/ from what was asked to a View, and a template of the same name in templates/serve/. All
addresses in pages are relative, so that it works below any prefix. It writes to the home only what an order writes.
"""
