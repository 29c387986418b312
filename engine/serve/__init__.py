"""The dashboard: takes a home, gives pages that stay true while jobs run, and the orders a person may give.

    view       what a page asks and what it gives
    site       a home as the pages read it: one snapshot held open for all
    rendering  a view through its template, whole or one live part
    routes     which page is at which address
    pages      the pages, a file each
    actions    orders by clicking
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
