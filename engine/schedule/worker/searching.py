"""Searches beside the loop: takes a home, has a child ask for the next trials whenever some ended, one child at a time.

The child knows the statistics and this process does not: it stays as light as it was.
"""

from __future__ import annotations

import logging
import subprocess
import time

from engine.home.paths import Home
from engine.launch.fork_link import module_words, server_env
from engine.schedule.growing import is_due, open_searches

log = logging.getLogger("xp.scheduler")
MODULE = "engine.search"
AGAIN = 5.0  # seconds until a look that failed, or found another one at work, is tried again
MOST_FAILED = 3  # looks that failed in a row, until the next trial ends or somebody asks
BUSY = 75  # EX_TEMPFAIL of sysexits.h: another process looks
LOOK = 0.5  # seconds between looks for a search that somebody began, stopped or extended


def has_due_search(home: Home) -> bool:
    """Whether somebody began, stopped or extended a search, and nobody has looked at it since."""
    return any(is_due(home, name) for name in open_searches(home))


class Searcher:
    """Starts a look at all open searches when attempts ended, an order came, or the queue ran empty."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.child: subprocess.Popen[bytes] | None = None
        self.seen = -1  # attempts that had ended at the last look; none was made yet
        self.is_checked = False  # whether the last look was at an empty queue
        self.not_before = self.looked = 0.0
        self.failed = 0

    def turn(self, ended: int, *, is_idle: bool) -> bool:
        """Return whether a look is under way or due: the scheduler may not leave then."""
        if self.child is not None:
            code = self.child.poll()
            if code is None:
                return True
            self.child = None
            self._judge(code)
        if not self._is_due(ended, is_idle=is_idle):
            return False
        if time.monotonic() >= self.not_before:
            self._start(ended, is_idle=is_idle)
        return True

    def _is_due(self, ended: int, *, is_idle: bool) -> bool:
        has_news = ended != self.seen or (is_idle and not self.is_checked)
        if not has_news:
            if time.monotonic() - self.looked < LOOK:
                return False
            self.looked = time.monotonic()
            return has_due_search(self.home)
        if open_searches(self.home):
            return True
        self.seen, self.is_checked = ended, is_idle
        return False

    def _start(self, ended: int, *, is_idle: bool) -> None:
        self.seen, self.is_checked = ended, is_idle
        env = {**server_env(), "XP_CACHE": str(self.home.cache)}
        words = module_words(MODULE, "--home", str(self.home.root))
        self.child = subprocess.Popen(words, stdin=subprocess.DEVNULL, env=env)

    def _judge(self, code: int) -> None:
        self.failed = 0 if code in (0, BUSY) else self.failed + 1
        if code == 0 or self.failed >= MOST_FAILED:
            self.failed = 0
            return
        if code != BUSY:
            log.error("looking at searches ended with %d; it is tried again", code)
        self.not_before, self.seen = time.monotonic() + AGAIN, -1
