"""The file that a quantising job left: takes a home and a job, gives it with what it says of itself, found whole."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from engine.core.export.about import About, read_about
from engine.core.export.forms import open_form
from engine.errors import JobError
from engine.home.files import read_json
from engine.home.paths import Home, JobFolder
from engine.run.attempt import absent_fix
from engine.spec.job_file import read_job
from engine.spec.job_settings import JobSettings, QuantizeSettings
from engine.spec.quantize import Quantize, quantized_form

DIGEST = "file_sha256"


@dataclass(frozen=True)
class QuantizedFile:
    """A network in 8-bit numbers: the job that made it, its file, the format of that, and what it says of itself."""

    job: str
    path: Path
    form: str
    about: About


def find_quantized(home: Home, job: str) -> QuantizedFile | None:
    """Return the file of a job that quantises, None for a job that does not.

    Raises JobError where the job is not done, or its file is missing or damaged.
    """
    folder = home.job(job)
    if not folder.spec.exists():
        return None
    settings = read_job(folder, JobSettings).settings
    return _find_file(folder, settings.quantize) if isinstance(settings, QuantizeSettings) else None


def _find_file(folder: JobFolder, told: Quantize) -> QuantizedFile:
    winner = folder.winner()
    if winner is None:
        raise JobError(f"{folder.job} is not done", where=folder.job, fix=absent_fix(folder))
    path = winner.artifacts / file_name(told)
    raw = path.read_bytes() if path.is_file() else b""
    if hashlib.sha256(raw).hexdigest() != read_json(folder.result).get(DIGEST):
        fix = f"remove {folder.root} and submit again: the network is quantised anew"
        raise JobError("the quantised network is missing or damaged", where=str(path), fix=fix)
    return QuantizedFile(folder.job, path, quantized_form(told).form, read_about(open_form(path).texts, path))


def file_name(told: Quantize) -> str:
    return f"network{quantized_form(told).words.suffix}"
