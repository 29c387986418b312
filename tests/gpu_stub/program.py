"""`engine.run` as a scheduler on the stub preloads it: takes an order, gives an exit status; no number is judged."""

from __future__ import annotations

import sys

from engine import run
from engine.launch import Order
from engine.run import prepare
from engine.run.__main__ import main as run_by_hand
from tests.gpu_stub.device import install_stand_ins
from tests.gpu_stub.job import look_away

__all__ = ["main", "prepare"]

install_stand_ins()


def main(order: Order) -> int:
    """Do one attempt of one job and return what its process exits with."""
    with look_away():
        return run.main(order)


if __name__ == "__main__":
    with look_away():
        sys.exit(run_by_hand())
