"""xp runs the experiments behind a model-compression paper; `ls engine` is its diagram.

    spec -> plan -> schedule -> run -> collect -> report

Each room's docstring is its map; a room imports only rooms above it here, and the store what it needs.

    errors     the tree of errors; each carries what, where and the fix
    home       every path under a home, and writes there that survive a kill
    spec       the words: frozen models, architectures, shapes, cells, identity
    load       a file, overlays, --set -> a Spec, or every mistake with its place
    inputs     what lies on disk before any work: archives, folders, quotas, content, weights files
    plan       Spec -> cells -> runs -> jobs; what they cost; what is missing
    launch     one file for each place a job can run
    collect    journals and records -> rows -> the published snapshot
    schedule   which job next; submit, orders, look-up; the worker
    core       data, networks, distillation, training, pruning, measuring, explaining; torch lives here
    run        inside a job's process
    analysis   statistics, fairness, comparisons, claims; a number back to its sources
    inspect    status, logs, why, doctor; images and layers before any training
    verify     whether kills change the bits here; cached targets asked again
    report     pages and figures
    archive    experiments in one file, and whether such a file holds
    exchange   runs of other tools in, ours out
    search     proposes what to try next
    serve      the dashboard
    api        the same for notebooks: `import xp`
    cli        a terminal
"""
