"""Every sentence that comparisons, claims and plans print: takes a name and its values, gives finished text.

A sentence in print is a claim. All stand in SENTENCES, and the tests hold for each a case where it is true and
appears, and one where it must not: a new one without both fails there, and so does one that stands elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial


def fill(sentences: Mapping[str, str], name: str, /, **values: object) -> str:
    """Return the sentence `name` with its values. Raises KeyError for one that is not in `sentences`."""
    return sentences[name].format(**values)


SENTENCES = {
    # why there is no test
    "one_seed": "one common seed: no test over seeds, because the luck of a seed is unknown",
    "one_measurement": "one measurement serves all seeds: no test, because the luck of a measurement is unknown",
    "few_seeds": "fewer than {least} common seeds: the interval is of images alone, for these networks, and no test",
    "no_spread": "all seeds differ by exactly as much: no test, because a few may do so by chance",
    "one_training": "the same jobs trained both arms: nothing that they differ in was tried",
    "one_network": "one network: both arms have the same shape, and one measurement serves both",
    "no_common": "they were not measured beside the same network, so that no rounds compare them: no test",
    # what a comparison says
    "every_seed": "the same for every seed",
    "interval_over": "95 % interval over {over}",
    "undecided": "undecided: the interval spans 0",
    "side_by_side": "side by side {ratio:.4g} times as much [{low:.4g}, {high:.4g}]",
    "after_holm": "{p} after Holm over this table",
    "mcnemar": "exact McNemar {p}",
    "could_detect": "could detect {smallest:.3g}{unit} (power 80 %, {level})",
    "error_of_images": "{share:.0f} % of the error is of the test images, which no seed takes away",
    "level_alone": "at p < 0.05",
    "level_of_table": "at p < 0.05 after Holm over {tests}",
    "not_beside": "trainings are not timed side by side: what else the machine did at the time has a say in {metric}, "
    "and no number of seeds takes it out: no test. Networks are timed in turns by `measure:` (infer_speedup) and xp "
    "bench",
    "over_rounds": "{of} side by side",
    "over_seeds": "common seeds",
    "over_two_networks": "{images} test images alone, for these two networks",
    "over_networks": "{images} test images alone, for the {networks} networks of {n} seeds",
    "over_both": "{n} common seeds and {images} test images",
    "left_out": "left out, because it is no number: {metric} of {runs}",
    "not_counted": "not counted, because they have no {metric}: {runs}",
    "failed_ones": "; where seeds fail by what the arm does, as trainings that diverge, those that are left flatter it",
    # what was not held, and what a reader must know
    "not_comparable": "not comparable: not {which}: {what}",
    "not_held": "not held equal: {what}",
    "note_not_held": "note: these were not held equal",
    "more_of": " (and {left} more of {name})",
    "more_settings": "and {left} more settings: xp diff shows all",
    "is_against": "{what} is {first} against {second}",
    "at_once": "{what} ({first}, {second})",
    "brought": "with the {name} come {what}",
    "more_than_one": "{name} differs in more than one setting: {what}",
    "of_unknown": "{arm} begins with or learns from weights {unknown}, which may have been trained on these test "
    "images",
    "no_control": "{arm} is pruned, and what came of that is not told apart from what else it had: no arm here with "
    "all else the same is {which}",
    "control_scratch": "of its widths (or mask) and trained from new weights for as many epochs (scratch)",
    "control_none_longer": "whole and trained for as many epochs (none_longer)",
    "control_random": "pruned as much by chance (random)",
    "imported_fix": "nothing makes them comparable, as nobody wrote down what they were held to",
    "fair_fix": "compare runs that differ in one factor alone",
    "trials_fix": "search both arms, with as many trials: null under search.arms leaves one out",
    "each_tuned": "each is the best of {trials} trials, and has its own {paths}",
    "other_space": "drawn for one of them alone: {paths}",
    "budget_fix": "the equal-budget control is the other arm with train.epochs raised, to {epochs} epochs in all",
    "or_anyway": "{fix}; or say --anyway and get this as a footnote",
    # what is tested
    "tested": "{metric} of {arm} {expect} than of {against}",
    "tested_margin": "{metric} of {arm} {expect} than of {against} by more than {margin}",
    "tested_not": "{metric} of {arm} not {side} than of {against}",
    "tested_not_margin": "{metric} of {arm} not {side} than of {against} by {margin} or more",
    "tested_nothing": "nothing: of {metric} neither more nor less is known to be better",
    "nothing_worse": "neither more nor less {metric} is better, so that nothing is worse: expect greater or less",
    "claim_p": "{p} after Holm over all claims",
    "other_spec": "the results of {arm} are not of this spec: {what} as it was submitted{more}",
    "other_words": ", and {left} more settings differ",
    # why a claim is undecided
    "measured_once": "{why}; rounds side by side have their own (measure.rounds, xp bench)",
    "rounds_silent": "{n} {of} do not tell: {more}",
    "more_rounds": "take more measure.rounds",
    "more_networks": "run more seeds",
    "lone_seed": "one common seed says nothing about the luck of a seed: run at least {least}",
    "more_seeds": "{why}; run more seeds",
    "no_margin": "{n} seeds; without a margin, not_worse holds only where it is better: give the claim a margin",
    "seeds_silent": "{n} seeds do not tell; if the difference stays as it is, {more}",
    "seeds_needed": "about {needed} seeds would decide it with a power of 80 %{level}",
    "level_of_claims": ", at the level of {tests} claims",
    "more_needed": "more seeds or test images are needed",
    "only_seeds_needed": "more seeds are needed",
    # what a plan can show
    "cannot_decide": "with {seeds} no difference of accuracy can be decided; can detect some from {least} seeds on",
    "can_detect": "with {n} seeds and {told}: can detect {points:.1f} points of test accuracy (power 80 %){share}; "
    "{source}",
    "share_of_images": "; {share:.0f} % of the error is of the {images} test images",
    "measured_spreads": "spreads as this home has measured them",
    "assumed_spreads": "assumed, until two of its arms share two seeds: seeds that differ by {points:g} points{luck}",
    "assumed_images": ", networks that tell {share:.0f} % of the images differently",
    "power_here": "with {n} seeds the power for {points:g} points is {power:.0f} %",
    "never_enough": "no number of seeds detects {points:g} points on these test images",
    "beyond": "more than {most:,} seeds are needed to detect {points:g} points",
    "to_detect": "to detect {points:g} points (power 80 %, {told}): {needed} seeds{cost}",
    "cost_of_more": ", {more} more: about {hours} of work",
    # what an experiment lacks, and what filling it costs
    "final_seeds": "undecided at n={n}, and the seeds of what a search chose are written under search.final.seeds",
    "lacks_seeds": "{there} of {asked} seeds are done, without {seeds}",
    "open_claim": "claim {claim} ({point}), {arm} against {against} in {metric}",
    "open_change": "{arm} against {against} ({point}) in {metric}",
    "seeds_idle": "undecided, and no further seed helps: {why}",
    "rounds_decide": "its figures come from rounds side by side, not from seeds",
    "beyond_seeds": "with a difference and spreads as those of the {n} seeds that are there, a thousand are too few",
    "makes_testable": "undecided with {n} common seeds; from {least} on there is a test",
    "shows_no_spread": "undecided with {n} common seeds, which show no spread; one more may",
    "would_decide": "undecided with {n} common seeds; about {needed} would decide it, if the difference stays as it is "
    "(power 80 %)",
    "price": "{jobs} jobs, {time} of work{gpu}, {size} MB",
    "no_spec": "its submission holds no spec that this xp reads: {why}",
    "cost_unknown": "{name}: what filling it costs cannot be told here: {why}",
    "in_all": "all of this: {price}",
    "over_budget": "it does not fit into what is left of the budget",
    "many_seeds": "it takes more than {most} further seeds: name a --budget",
    "one_run": "{arm} ({point}) seed {seed}",
    "asked_for": "the spec asks for it",
    "fill_under_way": "queued before, or running: {price}",
    "fill_queues": "queued: {what}: {why}: {price}",
    "fill_leaves": "left: {what}: {why}: {price}",
    "added_seeds": "{count} runs have seeds beyond those of the spec, chosen when results were known: a test that is "
    "repeated until it decides finds differences too often where there are none; say so beside its p",
    # what moved since numbers were frozen
    "alone_moved": "this figure alone",
    "cell_moved": "with its whole cell",
    "other_runs": "by other runs: {what}",
    "other_figures": "from the same runs: their jobs hold other figures now",
    "other_samples": "from the same runs: n={now} now, n={before} before",
    "other_spread": "from the same runs: the same mean with another spread",
    # what bounds a training step
    "bound_compute": "computing bounds a step: forward, backward and optimizer take {share:.0f} % of it, the {largest} "
    "pass most ({part:.0f} %)",
    "bound_feeding": "the loader bounds a step: {share:.0f} % of it waits for images",
    "bound_feeding_inside": "making images bounds a step: it takes {share:.0f} % of it, as no thread does it beside",
    "bound_teacher": "the teacher bounds a step: its answers take {share:.0f} % of it",
    "bound_log": "the heartbeat and the look at the loss bound a step: they take {share:.0f} % of it",
    "also_compute": "forward, backward and optimizer take {share:.0f} % of a step",
    "also_feeding": "another {share:.0f} % of a step waits for images",
    "also_feeding_inside": "making images takes another {share:.0f} % of a step, as no thread does it beside",
    "also_teacher": "the teacher's answers take another {share:.0f} % of a step",
    "also_log": "the heartbeat and the look at the loss take another {share:.0f} % of a step",
    "load_beside": "{idle:.1f} of {cores} cores are idle: data.workers: 1 could make images beside the step",
    "more_workers": "the loader's threads ({workers}) are at work {busy:.0f} % of the time and {idle:.1f} of {cores} "
    "cores are idle: more data.workers (on a GPU: resources.cpus) could help",
    "cores_full": "all {cores} cores are at work: more loader threads would share them, more cores or less work an "
    "image could help",
    "short_epochs": "each epoch begins with no image ready, and has {steps} steps only: the loader's threads are at "
    "work {busy:.0f} % of the time",
    "idle_unknown": "how long the GPU idles was not measured: {why}",
    "bound_host": "the host bounds a step: the GPU idles {idle:.0f} % of it, at {launches:.0f} launches "
    "a step",
    "compile_it": "train.compile: max launches less, and rounds otherwise: it is part of the id",
    "bound_card": "the GPU bounds a step: it is at work {busy:.0f} % of it",
    "card_waits": "the host waits for the GPU {waits:.1f} times a step: {lines}",
    "cores_used": "the process keeps {used:.1f} of {cores} cores busy, with train.threads: {threads}",
    "crowded": "other work keeps {others:.1f} of {cores} cores busy meanwhile: on an idle machine steps are shorter",
    "views_kept": "views that were seen are kept in memory: later epochs draw fewer images than these steps did",
    "dear_checkpoint": "a checkpoint each {steps:.0f} steps adds {share:.0f} % to a step",
}  # fmt: skip

say = partial(fill, SENTENCES)
