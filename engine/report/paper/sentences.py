"""Every sentence that a paper's page prints of its own: takes a name and its values, gives finished text.

The tests hold for each a case where it is true and appears, and one where it must not.
"""

from __future__ import annotations

from functools import partial

from engine.analysis.sentences import fill

SENTENCES = {
    # where a verdict is from
    "counted": "by counting",
    "read": "seen in the paper's text; no run has a say in it",
    "no_telling": "no run can tell",
    # why there is no verdict
    "no_experiment": "{experiment} was not submitted to this home",
    "no_claim": "{experiment} was submitted without the claim {claim}: submit it again",
    "no_data": "{place}: no {metric} of {arm} and of {against} at a common seed yet",
    "no_grid": "{experiment}: the arms {arms} have no seed in common yet, so there is no such effect",
    # what decided one
    "claim_line": "{place}{at}: {metric} of {arm} less {against}: {effect}{expected}: {verdict}{why}",
    "effect_line": "{experiment}{at}: {plus} less {minus}, test_top1 {effect} points, n={n}{p}: {verdict}",
    "turned": "{line}; the saying holds where this is refuted",
    # arithmetic
    "params_line": "{arch}, 100 classes: {dense:,} parameters with window attention, {sparse:,} with second "
    "projections ({change:+.1f} %)",
    "macs_line": "{arch} at windows {windows}: {dense:.3f} G MACs with window attention, {sparse:.3f} G with sparse "
    "attention and second projections ({change:+.1f} %)",
    "tokens_line": "a window of {windows} has {tokens} tokens, whatever the image: no term grows with it",
    "speeds_line": "{high:g} samples/s in phase 2 (batch {high_batch}, with a teacher) against {low:g} in phase 1 "
    "(batch {low_batch}, without one): {ratio:.2f} times",
    "splits_line": "its change with the split: {changes} for one network, which splits cannot make faster",
    "memory_line": "{model}, batch {batch}: {values}, {ratio:.2f} times as much at one split as at the other",
    "twice_line": "at {split} the rise is printed as {changes}",
    "above_line": "{small} is printed {gap:.1f} points above {large}",
    "side_line": "stage 2 has a map of {side} x {side} tokens at {image} px, so its window cannot double to {double}",
    "set_line": "a second set of attention probabilities, batch {batch}: {same:,.0f} MiB more if the baseline has the "
    "same windows, {own:,.0f} MiB if it has TinyViT's own; the paper's figures come to {printed:,.0f} MB",
    "size_line": "ConvNeXt V2 Huge has {huge:.1f} M parameters and CLIP's ViT-L/14 {clip:.1f} M for pictures "
    "({ratio:.2f} to one); printed are {printed_huge:g} M and {printed_clip:g} M",
    "luck_line": "{name}, {split}: {change:g} points as an absolute change, where the luck of {images:,} test images "
    "alone reaches {half:.2f} to either side",
    "no_luck": "no printed change of accuracy is smaller than the luck of its test images",
    "nothing_printed": "the figures that this would be counted from are not printed",
    # the page
    "page_of": "Numbers are of the runs in this home, and verdicts are of their size and data alone: nothing is said "
    "of the paper's own networks where they were not run.",
    "how_judged": "A saying holds where all that decides it holds, is refuted where any of it is, and is undecided "
    "where the data cannot tell; 'not run' where there are none. Each verdict names the size it was found at.",
    "none_corresponds": "No run here corresponds to any of the {count} printed figures.",
    "some_correspond": "{found} of the {count} printed figures have a run that corresponds.",
    "beside": "A run stands beside a printed figure where network, windows, attention, teacher, pruning, split, batch "
    "size{more} are those of the paper, and it is held against what the paper held it against.",
    "nearest": "nearest is {place}: {apart}",
    "would_be": "It would be {first} against {second}.",
}
say = partial(fill, SENTENCES)
