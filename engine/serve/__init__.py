"""The dashboard: takes a home, gives pages that stay true while jobs run, and the orders a person may give.

    view       what a page asks and what it gives
    site       a home as the pages read it: one snapshot held open for all
    rendering  a view through its template, whole or one live part
    routes     which page is at which address
    pages      the pages, a file each
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
    starting   a port, a process

A page is a function in pages/ from what was asked to a View, and a template of the same name in templates/serve/. All
addresses in pages are relative, so that it works below any prefix. It writes to the home only what an order writes.
"""
