"""Progress in words: takes views of experiments and jobs, seconds and bytes, gives plain text for any screen."""

from __future__ import annotations

from engine.inspect.status import ExperimentView, JobView, place_of

LISTED = 10  # jobs of a kind that get a line of their own


def clock_text(seconds: float) -> str:
    """Return `1h05m`, `2m10s` or `8s`."""
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    if hours:
        return f"{hours}h{minutes:02d}m"
    return f"{minutes}m{rest:02d}s" if minutes else f"{rest}s"


def size_text(count: float) -> str:
    """Return bytes as `3.4 MB` (powers of ten, as disks are sold)."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def progress_line(view: ExperimentView) -> str:
    """One line without colours or cursor moves, for logs and pipes."""
    done, whole = view.jobs.get("done", 0), sum(view.jobs.values())
    left = f", about {clock_text(view.seconds_left)} left" if view.is_moving else ""
    now = "".join(f"; {job.title}: {beat_text(job)}" for job in view.running[:LISTED])
    return f"{view.experiment}: {done}/{whole} jobs, {view.share:.0%}{left}{now}"


def beat_text(job: JobView) -> str:
    """What a running job says of itself: phase, epoch (or what it counts), images/s, loss, the time it still needs."""
    beat = job.beat
    at, of = (min(beat.epoch + 1, beat.epochs), beat.epochs) if beat.epochs else (beat.step, beat.steps)
    where = f" {at}/{of}" if of else ""
    parts = [(beat.phase or "starting") + where]
    if beat.rate:
        parts.append(f"{beat.rate:.0f} images/s")
    if beat.loss is not None:
        parts.append(f"loss {beat.loss:.3f}")
    if beat.phase:
        parts.append(f"{clock_text(job.seconds_left)} left")
    if place := place_of(job.slot):
        parts.append(f"on {place}")
    return ", ".join(parts)
