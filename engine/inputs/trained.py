"""The networks that a home has trained: takes a home and a weights file, gives the job whose network it holds.

By the file's digest, or by that of its tensors alone (tensors.py). Results of an earlier xp do not say the latter: it
is taken of the networks themselves, where they lie in their jobs' folders, and only of those with the same names,
dtypes and shapes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from engine.errors import DataError
from engine.home.files import read_object
from engine.home.paths import Home
from engine.inputs.tensors import kept_digest, tensors_layout

Result = Mapping[str, Any]


def trained_here(home: Home) -> dict[str, Result]:
    """Return job -> result.json of every network that this home has trained."""
    results = ((folder.job, read_object(folder.result) or {}) for folder in home.jobs())
    return {job: told for job, told in results if "weights_sha256" in told}


@dataclass
class TrainedNetworks:
    """Looks networks up in one home; its results are read when somebody first asks."""

    home: Home

    @cached_property
    def results(self) -> Mapping[str, Result]:
        return trained_here(self.home)

    @cached_property
    def _files(self) -> Mapping[str, str]:
        return {str(told["weights_sha256"]): job for job, told in self.results.items()}

    def by_file(self, digest: str) -> str | None:
        """Return the job that wrote the file of this sha256."""
        return self._files.get(digest)

    def by_tensors(self, file: Path) -> str | None:
        """Return the first job whose network has the tensors of `file`, whatever else the file says."""
        try:
            return self._find(file) if self.results else None
        except DataError:  # no weights file: whoever is to load it says so
            return None

    def _find(self, file: Path) -> str | None:
        digest = kept_digest(file, self.home.tensors)
        told = (job for job, result in self.results.items() if result.get("tensors_sha256") == digest)
        return next(told, None) or self._find_untold(file, digest)

    def _find_untold(self, file: Path, digest: str) -> str | None:
        layout = tensors_layout(file)
        for job in (job for job, result in self.results.items() if "tensors_sha256" not in result):
            own = self._own_file(job)
            try:
                if own is not None and tensors_layout(own) == layout and kept_digest(own, self.home.tensors) == digest:
                    return job
            except DataError:  # damaged: `xp doctor` and whoever loads it say so
                continue
        return None

    def _own_file(self, job: str) -> Path | None:
        winner = self.home.job(job).winner()
        file = winner.artifacts / "weights.safetensors" if winner is not None else None
        return file if file is not None and file.is_file() else None
