"""What takes long and is made once: takes a key and a maker, gives what was made to all who ask for it.

Who asks while it is being made waits for the same one; who does not want to wait has it made in a thread, and looks
again. What failed is told to whoever waits, and made anew for who asks next. Keys name the published file that their
value was made of.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")
MOST = 400  # values
AT_ONCE = 3  # in threads of their own: they share the machine with the jobs


class Ended(Exception):
    """The process ended before a value's turn came."""


class Kept:
    """Values by key, at most MOST of them: those that were not asked for the longest go first."""

    def __init__(self, most: int = MOST) -> None:
        self._futures: OrderedDict[Hashable, Future[Any]] = OrderedDict()
        self._most = most
        self._lock = threading.Lock()
        self._turns = threading.Semaphore(AT_ONCE)

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return the value, made here and now where it is not there. Raises what its maker raises."""
        future, is_new = self._claim(key)
        if is_new:
            _fill(future, make)
        made: T = future.result()
        return made

    def begin(self, key: Hashable, make: Callable[[], T]) -> Future[T]:
        """Have the value made in a thread and return what tells whether it is there, or why it never will be.

        A failure is given once: then the next who asks has it made anew.
        """
        with self._lock:
            held = self._futures.get(key)
            if held is not None and _is_failed(held):
                return self._futures.pop(key)
        future, is_new = self._claim(key)
        if is_new:
            # No daemon: one that is killed in the middle of a C library takes the process down with noise.
            threading.Thread(target=self._fill_in_turn, args=(future, make)).start()
        return future

    def find(self, key: Hashable) -> Any | None:
        """Return the value if it is there, without waiting."""
        with self._lock:
            future = self._futures.get(key)
            if future is None or not future.done() or _is_failed(future):
                return None
            self._futures.move_to_end(key)
            return future.result()

    def put(self, key: Hashable, value: object) -> None:
        """Keep a value that is there already, in the place of an older one."""
        future: Future[object] = Future()
        future.set_result(value)
        with self._lock:
            self._store(key, future)

    def _claim(self, key: Hashable) -> tuple[Future[Any], bool]:
        """Return the future of a key, and whether the caller has to fill it."""
        with self._lock:
            held = self._futures.get(key)
            if held is not None and not _is_failed(held):
                self._futures.move_to_end(key)
                return held, False
            made: Future[Any] = Future()
            self._store(key, made)
            return made, True

    def _store(self, key: Hashable, future: Future[Any]) -> None:
        self._futures[key] = future
        self._futures.move_to_end(key)
        while len(self._futures) > self._most:
            self._futures.popitem(last=False)

    def _fill_in_turn(self, future: Future[Any], make: Callable[[], Any]) -> None:
        with self._turns:
            if threading.main_thread().is_alive():
                _fill(future, make)
            else:  # the process ends: nobody will read it
                future.set_exception(Ended())


def _is_failed(future: Future[Any]) -> bool:
    return future.done() and future.exception() is not None


def _fill(future: Future[Any], make: Callable[[], Any]) -> None:
    """Whatever a maker raises belongs to those who wait for its value."""
    try:
        future.set_result(make())
    except BaseException as error:
        future.set_exception(error)
