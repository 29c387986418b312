"""One target under atheris: takes a name and libFuzzer's arguments, ends at a crash, past a limit, or in time.

Only our own code is traced; the reader's files lie in memory where the machine has /dev/shm.
"""

from __future__ import annotations

import sys

import atheris  # type: ignore[import-untyped,unused-ignore]  # has no types, and only make fuzz installs it

with atheris.instrument_imports(include=["engine", "store"]):
    from tests.fuzz.target import Feeder
    from tests.fuzz.targets import TARGETS


def main() -> None:
    """Run until the time is over; libFuzzer writes what crashed where `-artifact_prefix` says."""
    name, *arguments = sys.argv[1:]
    with Feeder(TARGETS[name]) as feeder:
        atheris.Setup([name, *arguments], feeder.feed)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
