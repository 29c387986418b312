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


def time_left(view: ExperimentView) -> str:
    """Return `8s`; `over 8s` while a search is open, whose next trials are not known; "" where no time is known."""
    if not view.is_moving:
        return ""
    least = clock_text(view.seconds_left)
    return least if not view.is_searching else f"over {least}" if round(view.seconds_left) else ""


def left_text(view: ExperimentView) -> str:
    """Return `, about 8s left` to end a sentence with, "" where no time is known."""
    left = time_left(view)
    return f", {left if view.is_searching else f'about {left}'} left" if left else ""


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
    if view.is_searching and not whole:
        return f"{view.experiment}: searching, no trial is asked for yet"
    jobs = f"{done}/{whole} jobs{' so far' if view.is_searching else ''}"
    now = "".join(f"; {job.title}: {beat_text(job)}" for job in view.running[:LISTED])
    return f"{view.experiment}: {jobs}, {view.share:.0%}{left_text(view)}{now}"


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
