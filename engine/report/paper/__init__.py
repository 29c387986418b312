"""A paper's page: takes a paper's file and one snapshot, gives its answers before a chapter for each experiment.

    sentences    every sentence of the cover
    sizes        sizes counted from shapes
    outcomes     what one decider comes to, and all of a saying together
    arithmetic   what counting decides: COMPUTED
    evidence     what the store says of each experiment
    judging      sayings -> verdicts
    beside       printed figures beside ours
    cover        all of it, ready for a template
    making       the page written

Its templates are templates/paper.*.j2, laid before the chapters of a report.
"""
