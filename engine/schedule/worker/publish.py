"""Collecting beside the loop: takes what to call, gives at most one call at a time, and never stops the scheduler."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from engine.home.paths import Home

log = logging.getLogger("xp.scheduler")
Collect = Callable[[Home], object]
NOT_COLLECTED = "collecting failed and is tried again: "  # status looks for it in the log's last line


class Publisher:
    """Calls `between(home)` in a thread when something changed, at most every `every` seconds; `last` at the end."""

    def __init__(self, home: Home, last: Collect | None, between: Collect | None, every: float = 2.0) -> None:
        self.home, self.last_call, self.between, self.every = home, last, between, every
        # Due since the last call; news since the start.
        self.is_due = self.has_news = False
        self.last = 0.0
        self.trouble = ""
        self.thread: threading.Thread | None = None

    def note(self) -> None:
        """Say that there is something new."""
        self.is_due = self.has_news = True

    def turn(self) -> None:
        """Start a call if one is due, none runs and the last one is long enough ago."""
        if self.between is None or not self.is_due or time.monotonic() - self.last < self.every:
            return
        if self.thread is not None and self.thread.is_alive():
            return
        # Before the call: what is noted while it runs makes another one due.
        self.is_due = False
        self.thread = threading.Thread(target=self._call, args=(self.between,), name="collect", daemon=True)
        self.thread.start()

    def finish(self, *, is_last: bool = True) -> None:
        """Wait for a call that runs; then make the last one, unless we are in a hurry."""
        # Two collections at once would only wait for each other's lock.
        if self.thread is not None:
            self.thread.join()
        if is_last and self.last_call is not None and self.has_news:
            self._call(self.last_call)

    def _call(self, collect: Collect) -> None:
        """A result store that is locked or damaged must not keep jobs from running; the next call sees all of it."""
        try:
            collect(self.home)
            if self.trouble:
                log.info("collecting goes on")
            self.trouble = ""
        except Exception as error:
            # The same trouble again is told in one line, without its traceback.
            what = (str(error).splitlines() or [type(error).__name__])[0]
            log.error("%s%s", NOT_COLLECTED, what, exc_info=what != self.trouble)
            self.trouble = what
            self.is_due = True
        finally:
            self.last = time.monotonic()
