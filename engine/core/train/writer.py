"""Checkpoints beside the training: takes a state, copies it and lets the training go on, gives a file a little later.

One write is in flight: the next save waits for it. What a write failed of is raised at the next save, or by `settle`,
which a job calls before it ends, so that nothing is said to be saved that is not.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from engine.core.train.checkpoint import State, copy_state, save_checkpoint


class CheckpointWriter:
    """Writes the checkpoints of one attempt into `folder`, each on a thread of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._thread: threading.Thread | None = None
        self._fault: BaseException | None = None

    def save(self, state: State, step: int, before: Callable[[], None], branch: Path | None = None) -> None:
        """Copy `state` and begin to write it; `before` runs on the thread, ahead of the file.

        It is kept in the folder `branch` too, where there is one. Raises what the write before this one failed of.
        """
        self.settle()
        # Copied here and now, because the next step changes the tensors.
        copied = copy_state(state)
        self._thread = threading.Thread(target=self._write, args=(copied, step, before, branch), name="checkpoint")
        self._thread.start()

    def settle(self) -> None:
        """Wait for the write in flight. Raises what it failed of, once."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        fault, self._fault = self._fault, None
        if fault is not None:
            raise fault

    def _write(self, state: State, step: int, before: Callable[[], None], branch: Path | None) -> None:
        try:
            before()
            save_checkpoint(self.folder, state, step, branch)
        except BaseException as error:
            self._fault = error
