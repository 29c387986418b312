"""A profile as a person reads it: takes a summary, gives lines of text, or plain values for programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from engine.verify.profile.subject import Subject
from engine.verify.profile.summary import Spread, Summary
from engine.verify.profile.timings import PARTS
from engine.verify.profile.verdict import judge
from store.amounts import counted

WIDE = 10  # letters of a number's column
TAUGHT = {
    "": "", "cached": ", taught by cached answers", "online": ", taught online",
    "made up": ", taught by made-up answers", "made up, online": ", taught online by a teacher without its weights",
}  # fmt: skip


def profile_lines(subject: Subject, found: Summary) -> Iterator[str]:
    """Yield the table, what is beside it, and what bounds a step."""
    yield _title(subject, found)
    yield ""
    yield from _table(found)
    yield ""
    yield from _notes(found)
    yield ""
    yield from judge(found)


def _title(subject: Subject, found: Summary) -> str:
    about = found.timings.about
    device = "the CPU" if about.kind == "cpu" else about.device
    threads = counted(about.threads, "thread")
    loading = f"{counted(about.workers, 'thread')} loading" if about.workers else "none loading beside"
    pieces = f" in pieces of {about.micro_batch}" if about.micro_batch else ""
    compiled = f", train.compile: {about.compiled}" if about.compiled else ""
    named = subject.title if subject.title == subject.job else f"{subject.title} ({subject.job})"
    return (
        f"{named} on {device}, {about.precision}, {threads}, {loading}; "
        f"{about.images:.0f} images a step{pieces}{compiled}{TAUGHT[about.taught]}"
    )


def _table(found: Summary) -> Iterator[str]:
    """Yield the parts of a step, in milliseconds: by the device's clock on a GPU, with the host's beside it."""
    heads = ["mean ms", "share", "median", "5 %", "95 %", *(["host ms"] if found.host else [])]
    yield f"{'part':<{WIDE}}" + "".join(f"{head:>{WIDE}}" for head in heads)
    for part in found.told_parts:
        host = [found.host[part].mean] if found.host else []
        yield _row(part, found.parts[part], found.share(part), host) + f"  {PARTS[part]}"
    host = [sum(one.mean for one in found.host.values())] if found.host else []
    yield _row("a step", found.wall, found.accounted, host)


def _row(name: str, spread: Spread, share: float, host: list[float]) -> str:
    after = "".join(f"{_ms(value):>{WIDE}}" for value in (spread.median, spread.low, spread.high, *host))
    return f"{name:<{WIDE}}{_ms(spread.mean):>{WIDE}}{100 * share:>{WIDE - 2}.1f} %{after}"


def _notes(found: Summary) -> Iterator[str]:
    """Yield what the table leaves out: its sample, what it costs, the loader's threads, checkpoints, a card's work."""
    timings, (cost, reach) = found.timings, found.cost
    yield (
        f"{len(found.timed)} steps timed, {len(found.plain)} plain ones in turn ({_ms(found.plain_wall.median)} ms, "
        f"{found.images_per_second:.4g} images/s), after {timings.warm_up} to warm up"
    )
    share, known = (100 * value / found.plain_wall.median for value in (cost, reach))
    told = "timing adds" if cost > reach else "timing adds nothing that chance would not:"
    yield f"{told} {_ms(cost)} ms to a step ({share:+.1f} %, known to {known:.1f} %)"
    yield from _beside_lines(found)
    save = found.checkpoint
    yield (
        f"a checkpoint takes {_ms(save.waits)} ms, and {_ms(save.beside)} ms beside the training: "
        f"{_ms(save.waits / found.save_steps)} ms a step, with one each {found.save_steps:.0f} steps"
    )
    if timings.ends:
        yield f"an epoch's end logs for {_ms(sum(timings.ends) / len(timings.ends))} ms, validation left out"
    if timings.card is not None:
        launched = "" if timings.card.launches is None else f"{timings.card.launches:.0f} launches and "
        busy = "" if found.card_idle is None else f"; the GPU idles {100 * found.card_idle:.0f} % of it"
        yield f"a step has {launched}{timings.card.waits:.1f} waits of the host{busy}"


def _beside_lines(found: Summary) -> Iterator[str]:
    busy, used, device = (found.beside(clock) for clock in ("busy", "thread", "device"))
    told = [f"{part} {_ms(busy[part])} ms ({_ms(used.get(part, 0.0))} ms of a core)" for part in _worth(busy, found)]
    if told:
        yield f"beside a step the loader's threads: {', '.join(told)}; at work {100 * found.threads_at_work:.0f} %"
    copied = [f"{part} {_ms(device[part])} ms" for part in _worth(device, found)]
    if copied:
        yield f"beside a step the GPU's second stream: {', '.join(copied)}"


def _worth(seconds: Mapping[str, float], found: Summary) -> list[str]:
    return [part for part, took in seconds.items() if took >= 0.001 * found.wall.mean]


def _ms(seconds: float) -> str:
    """Return milliseconds of three digits, or whole ones from 100 on."""
    value = float(f"{1000.0 * seconds:.3g}") if abs(seconds) < 1.0 else 1000.0 * seconds
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}" if abs(value) >= 0.01 else "0"


def profile_json(subject: Subject, found: Summary) -> dict[str, Any]:
    """Return everything that was timed and what was made of it; all times are seconds of a step."""
    cost, reach = found.cost
    host = {part: asdict(spread) for part, spread in found.host.items()}
    return {
        "run": subject.title,
        "job": subject.job,
        "about": found.timings.about.model_dump(),
        "parts": {
            part: {**asdict(spread), "share": found.share(part), **({"host": host[part]} if host else {})}
            for part, spread in found.parts.items()
        },
        "step": asdict(found.wall),
        "plain_step": asdict(found.plain_wall),
        "accounted": found.accounted,
        "cost": {"seconds": cost, "known_to": reach},
        "images_per_second": found.images_per_second,
        "cores": {"own": found.cores, "others": found.others, "idle": found.timings.idle_cores},
        "beside": {clock: dict(found.beside(clock)) for clock in ("thread", "busy", "device")},
        "threads_at_work": found.threads_at_work,
        "checkpoint": {**found.checkpoint.model_dump(), "steps": found.save_steps, "share": found.checkpoint_share},
        "epoch_ends": found.timings.ends,
        "card": None if found.timings.card is None else found.timings.card.model_dump(),
        "card_idle": found.card_idle,
        "bounds": judge(found),
        "steps": [step.model_dump() for step in found.timings.steps],
    }
