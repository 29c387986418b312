"""Something done by a process that the rights of files bind: they bind no root, which tests often are."""

from __future__ import annotations

import ctypes
import os
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

VERSION = 0x20080522  # of Linux's capability sets: two words of effective, permitted and inheritable ones
OVERRIDING = 0b110  # CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH, which let root write and read what it may not


def without_power(work: Callable[[], None]) -> None:
    """Do `work` in a process of its own that keeps to the rights of files; what it raises is an assertion here."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        said = ""
        try:
            os.close(read)
            _drop_power()
            work()
        except BaseException:
            said = traceback.format_exc()
        finally:
            os.write(write, said.encode()[-60_000:])
            os._exit(0)
    os.close(write)
    with os.fdopen(read) as answer:
        said = answer.read()
    os.waitpid(pid, 0)
    assert not said, said


def _drop_power() -> None:
    if os.getuid() != 0:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    head, sets = (ctypes.c_uint32 * 2)(VERSION, 0), (ctypes.c_uint32 * 6)()
    assert libc.capget(head, sets) == 0
    # Of the first word: effective and permitted.
    sets[0] &= ~OVERRIDING
    sets[1] &= ~OVERRIDING
    assert libc.capset(head, sets) == 0


@contextmanager
def readable_only(root: Path) -> Iterator[None]:
    """Take every right to write in `root`."""
    paths = [root, *root.rglob("*")]
    for path in paths:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        yield
    finally:
        for path in paths:
            path.chmod(0o755 if path.is_dir() else 0o644)
