"""What bounds a step: takes a summary, gives sentences that its numbers bear out, the first of them the answer.

Advice is given where it was measured that there is something to gain: threads that are always at work beside cores
that are not, or a GPU that idles though its images are there.
"""

from __future__ import annotations

from collections.abc import Iterator

from engine.analysis.sentences import say
from engine.verify.profile.summary import Summary

COMPUTE, FEEDING = ("forward", "backward", "optimizer"), ("load", "render", "augment", "copy")
NOTABLE = 0.10
"""The share of a step from which on something is worth a sentence."""
AT_WORK, FREE_CORES, IDLE, DEAR = 0.85, 0.5, 0.2, 0.05
FEW_LINES = 3


def judge(found: Summary) -> list[str]:
    """Return what bounds a step, what else takes a notable part of it, and what could help."""
    groups = {
        "compute": found.share(*COMPUTE), "feeding": found.share(*FEEDING), "teacher": found.share("teacher"),
        "log": found.share("log"),
    }  # fmt: skip
    most = max(groups, key=lambda name: groups[name])
    return [
        *_tell_card(found, most),
        *_tell_bound(found, most, groups[most]),
        *(_tell_also(found, name, share) for name, share in groups.items() if name != most and share >= NOTABLE),
        *(_advise_feeding(found) if groups["feeding"] >= NOTABLE else ()),
        *_tell_rest(found),
    ]


def _tell_bound(found: Summary, group: str, share: float) -> Iterator[str]:
    largest = max(COMPUTE, key=found.share)
    words = {"share": 100 * share, "largest": largest, "part": 100 * found.share(largest)}
    name = "feeding_inside" if group == "feeding" and not found.timings.about.workers else group
    yield say(f"bound_{name}", **words)


def _tell_also(found: Summary, group: str, share: float) -> str:
    name = "feeding_inside" if group == "feeding" and not found.timings.about.workers else group
    return say(f"also_{name}", share=100 * share)


def _advise_feeding(found: Summary) -> Iterator[str]:
    """Say what would shorten the wait for images, as far as that was measured."""
    about, idle = found.timings.about, found.timings.idle_cores
    if idle is None:
        return
    words = {"workers": about.workers, "cores": about.cores, "idle": idle, "busy": 100 * found.threads_at_work}
    if not about.workers:
        if idle >= FREE_CORES:
            yield say("load_beside", **words)
    elif idle < FREE_CORES:
        yield say("cores_full", **words)
    elif found.threads_at_work >= AT_WORK:
        yield say("more_workers", **words)
    elif found.timings.epochs and about.epoch_steps < len(found.timings.steps):
        yield say("short_epochs", steps=about.epoch_steps, **words)


def _tell_card(found: Summary, most: str) -> Iterator[str]:
    """Say whether a GPU or its host is waited for, where it waits for no images and tells how long it idles."""
    idle, card = found.card_idle, found.timings.card
    if idle is None or card is None or most != "compute":
        return
    if idle < IDLE:
        yield say("bound_card", busy=100 * (1 - idle))
        return
    yield say("bound_host", idle=100 * idle, launches=card.launches or 0)
    if found.timings.about.compiled is None:
        yield say("compile_it")


def _tell_rest(found: Summary) -> Iterator[str]:
    about, card = found.timings.about, found.timings.card
    if card is not None and card.busy is None:
        yield say("idle_unknown", why=card.why)
    if card is not None and card.waits >= 1:
        yield say("card_waits", waits=card.waits, lines=", ".join(card.lines[:FEW_LINES]))
    yield say("cores_used", used=found.cores, cores=about.cores, threads=about.threads)
    if found.others >= FREE_CORES:
        yield say("crowded", others=found.others, cores=about.cores)
    if about.keeps_views and (found.share("render") or found.beside("busy").get("render")):
        yield say("views_kept")
    if found.checkpoint_share >= DEAR:
        yield say("dear_checkpoint", share=100 * found.checkpoint_share, steps=found.save_steps)
