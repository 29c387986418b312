"""xp runs the experiments behind a model-compression paper; this page is the map of the street.

    spec -> plan -> schedule -> run -> collect -> report

    errors.py    the tree of errors; each says what, where, and the fix
    spec.py      the words a spec may use
    shapes.py    what the words mean in tokens: resolutions, windows, radii, tiles (no torch)
    later.py     words of the contract whose machinery is not built yet: refused by name
    identity.py  settings -> a stable id
    load.py      a YAML file and --set -> a Spec, with errors that point at line and column
    home.py      every path under the home folder; writes that survive a kill
    content.py   what the images named by a spec are, by content
    plan.py      Spec -> runs -> jobs, linked teacher -> student -> prune
    schedule.py  which job next, and what a dead one means; pure
    launch/      one file for each place a job can run
    core/        the shared model and distillation core: the only rooms that know torch and timm
    run.py       inside a job's process
    collect.py   journals -> rows
    worker.py    the scheduler process
    stats.py     intervals and tests; pure
    report.py    query + template -> a page and its figures
    cli.py       the commands

A file imports only files above it here, and from store/ what it needs; store/ imports nothing of the engine.
"""
