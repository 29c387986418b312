"""`xp.submit`: takes a spec, leaves jobs in the queue and a scheduler at work, gives an object that knows its state."""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.api.places import AnyHome, find_home
from engine.api.specs import AnySpec, allow_code, load
from engine.api.watching import Lines, open_board, state_of, view_html
from engine.home.access import written_as_home
from engine.home.paths import Home
from engine.inspect.following import follow, read_view
from engine.inspect.progress_text import progress_line
from engine.inspect.status import ExperimentView
from engine.plan import make_plan
from engine.schedule.submit import Submission, submit_plan


@dataclass(frozen=True)
class Status:
    """How an experiment stood when it was asked; shown, it is a bar with what runs and what failed."""

    view: ExperimentView = field(repr=False)

    @property
    def state(self) -> str:
        """queued, running, done, failed, cancelled, paused or blocked."""
        return state_of(self.view)

    @property
    def share(self) -> float:
        """How much of the work is done, 0 to 1."""
        return self.view.share

    @property
    def seconds_left(self) -> float:
        return self.view.seconds_left if self.view.is_moving else 0.0

    @property
    def failures(self) -> tuple[str, ...]:
        """Why jobs failed, a line each, beginning with whose they are."""
        return tuple(f"{job.title}: {job.reason or 'no reason given'}" for job in self.view.failures)

    def __str__(self) -> str:
        return "\n".join((f"{progress_line(self.view)} ({self.state})", *(f"failed: {one}" for one in self.failures)))

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return view_html(self.view)


@dataclass(frozen=True)
class Submitted:
    """A submission in its home: what it did, how its experiment stands now, and waiting for it."""

    submission: Submission
    home: Home

    @property
    def name(self) -> str:
        return self.submission.name

    @property
    def number(self) -> int:
        """Which submission of its name it is, from 1."""
        return self.submission.number

    @property
    def new(self) -> int:
        """Jobs to do when it was submitted."""
        return self.submission.new

    @property
    def done(self) -> int:
        """Jobs that were done already."""
        return self.submission.done

    @property
    def changes(self) -> tuple[str, ...]:
        """What is other than in the submission before it, a line each."""
        return self.submission.changes

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is legal and most likely not meant: weights of unknown training, say."""
        return self.submission.warnings

    @property
    def state(self) -> str:
        """queued, running, done, failed, cancelled, paused or blocked, as it is now."""
        return self.status().state

    def status(self) -> Status:
        return Status(read_view(self.home, self.name))

    def wait(self) -> Submitted:
        """Show progress until nothing more can run and the results are taken in; return itself, whose state tells all.

        Interrupted (Ctrl-C, a notebook's stop button) it leaves everything running, says so, and returns.
        """
        from engine.collect import collect

        board = open_board()
        try:
            board.show(follow(self.home, self.name, board.show, board.tell))
        except KeyboardInterrupt:
            come_back = f"come back with .wait(), stop it with `xp cancel {self.name}`"
            Lines().tell(f"still running; {come_back}")
            return self
        with written_as_home(self.home.root):
            collect(self.home, wait=60.0)
        return self

    def __str__(self) -> str:
        head = f"{self.name}: {self.new} jobs to do, {self.done} done already (submission {self.number})"
        return "\n".join(
            (head, *(f"  {line}" for line in self.changes), *(f"warning: {line}" for line in self.warnings))
        )

    def __repr__(self) -> str:
        return str(self)


def submit(
    spec: AnySpec, home: AnyHome = None, *, priority: int | None = None, start: bool = True, wait: bool = False,
    trust: bool = False,
) -> Submitted:  # fmt: skip
    """Queue what a spec (or its file or mapping) needs and is not done, and see that a scheduler works on it unless not
    `start`; with `wait` stay until all is done, showing progress. With `trust` your own code that the spec names may
    run in this home, until it is changed.

    Raises XpError for a wrong spec, DataError where data, weights or a variable are missing. That jobs failed raises
    nothing: `.state` says it, `.status().failures` why.
    """
    from engine.schedule.worker import start_detached

    place = find_home(home, create=True)
    with written_as_home(place.root):
        loaded = load(spec)
        allow_code(loaded, place, trust=trust)
        done = submit_plan(make_plan(loaded, place), place, priority)
        if start and done.has_work:
            start_detached(place)
    submitted = Submitted(done, place)
    return submitted.wait() if wait else submitted
