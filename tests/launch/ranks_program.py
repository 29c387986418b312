"""An attempt of several ranks that each do one thing: `python -m tests.launch.ranks_program WHAT WHAT ...`.

0..255: ends so; kN: killed by signal N; t: waits for SIGTERM and exits 85; w: waits for ever; x: an error.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from types import FrameType

from engine.launch import ranks
from engine.launch.ranks import Rank, run_ranks


def main(words: list[str]) -> int:
    ranks.END_SECONDS = 1.0

    def program(rank: Rank) -> int:
        # With one call: several write here at once.
        os.write(2, f"rank {rank.number} of {rank.ranks} is {os.getpid()} in {rank.scratch}\n".encode())
        return act(words[rank.number], rank)

    return run_ranks(len(words), program)


def act(word: str, rank: Rank) -> int:
    if word[0] == "k":
        os.kill(os.getpid(), int(word[1:]))
    if word == "t":
        signal.signal(signal.SIGTERM, leave)
    if word == "x":
        raise ValueError("what is wrong here")
    (rank.scratch / str(rank.number)).touch()
    while not word.isdigit():
        time.sleep(0.01)
    return int(word)


def leave(number: int, frame: FrameType | None) -> None:
    os._exit(85)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
