"""What is timed: takes names of runs and of exported files, gives how each network is made, and where it can run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from torch import Tensor, nn

from engine.core.export.about import read_about
from engine.core.export.forms import open_form
from engine.core.measure import Mode
from engine.core.runtimes.registry import RUNTIMES, runtime_of_file
from engine.errors import DataError, JobError, XpError
from engine.home.paths import Home
from engine.run.attempt import absent_fix
from engine.run.bench_process import BenchProcess
from engine.run.inputs import load_trained
from engine.schedule.lookup import find_run
from engine.spec.forms import FORMS, form_of_file, form_words
from engine.spec.job_file import read_job
from engine.spec.job_kinds import final_network
from engine.spec.job_settings import TrainSettings

MODES: tuple[Mode, ...] = ("eager", "compiled", *RUNTIMES)  # type: ignore[arg-type]  # each word of it is a mode
MADE_FILE = "network.onnx"  # what a job made that quantises


@dataclass(frozen=True)
class Subject:
    """A network: its name, how it is made (None where it is a file of a runtime), that file, and its image size."""

    name: str
    image_size: int
    build: Callable[[], nn.Module] | None = None
    file: Path | None = None

    @property
    def modes(self) -> tuple[Mode, ...]:
        """How it can be called: a file of a runtime in that alone, one that torch reads by torch as it is."""
        if self.build is None and self.file is not None:
            return (runtime_of_file(self.file),)  # type: ignore[return-value]  # its name said so
        return MODES if self.file is None else ("eager",)


class FileModule(nn.Module):
    """An exported file that torch runs, as a module."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.opened = open_form(path)

    def forward(self, images: Tensor) -> Tensor:
        return self.opened(images)


class _FileReader:
    """Reads what a file says of itself, in a process of its own: a runtime starts threads, which no fork may have."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def image_size(self) -> int:
        return read_about(open_form(self.path).texts, self.path).image_size


def find_subjects(names: Sequence[str], home: Callable[[], Home]) -> list[Subject]:
    """Return what each name stands for; `home` is asked for where one is a run.

    Raises XpError for what is neither, and for a file that says nothing of its images; JobError for a run that is not
    done.
    """
    found = [_find_subject(name, home) for name in names]
    seen: Counter[str] = Counter()
    for place, subject in enumerate(found):
        seen[subject.name] += 1
        if seen[subject.name] > 1:
            found[place] = replace(subject, name=f"{subject.name} ({seen[subject.name]})")
    return found


def _find_subject(name: str, home: Callable[[], Home]) -> Subject:
    path = Path(name)
    word = form_of_file(path)
    if word is None and path.is_file():
        ends = ", ".join(FORMS[one].suffix for one in TIMED)
        raise DataError("this is no exported network by its name", where=name, fix=f"name a run, or a file: {ends}")
    if word is None:
        place = home()
        run = find_run(place, name)
        return _subject_of_job(place, final_network(run.jobs), run.name)
    if word not in TIMED:
        fix = f"name a file that ends in {', '.join(FORMS[one].suffix for one in TIMED)}"
        raise DataError(f"files of {word} are not timed here", where=name, fix=fix)
    form_words(word)
    if not path.is_file():
        raise DataError("there is no such file", where=name, fix="name a file that xp export wrote")
    return _subject_of_file(path, name)


def _subject_of_file(path: Path, name: str) -> Subject:
    with BenchProcess(partial(_FileReader, path), lambda: None) as reader:
        size: int = reader.ask("image_size")
    build = None if runtime_of_file(path) is not None else partial(FileModule, path)
    return Subject(name, size, build, path.absolute())


def _subject_of_job(home: Home, job: str, name: str) -> Subject:
    folder = home.job(job)
    winner = folder.winner()
    if winner is None:
        raise JobError(f"{name} is not trained yet: {job} is not done", where=job, fix=absent_fix(folder))
    if (winner.artifacts / MADE_FILE).is_file():
        form_words("onnx")
        return _subject_of_file(winner.artifacts / MADE_FILE, name)
    size = read_job(folder, TrainSettings).settings.data.image_size
    return Subject(name, size, partial(load_trained, home, folder))


def settle_modes(subjects: Sequence[Subject], asked: Sequence[str]) -> list[Mode]:
    """Return the ways in which all are called: those asked for, else the first in which all can be.

    Raises XpError for a word that is none, and where one of the networks cannot be called so.
    """
    if unknown := [word for word in asked if word not in MODES]:
        raise XpError(f"{unknown[0]!r} is no runtime here", where="--runtime", fix=f"take {', '.join(MODES)}")
    common = [mode for mode in MODES if all(mode in one.modes for one in subjects)]
    if not asked and common:
        return common[:1]
    for one in subjects:
        other = [word for word in asked if word not in one.modes]
        if other or not asked:
            told = ", ".join(one.modes)
            what = f"{one.name} runs in {told}" + (f", not in {other[0]}" if other else ", and another does not")
            fix = (
                f"leave {other[0]} away"
                if other and common
                else "export them in one format: xp export RUN --format onnx"
            )
            raise XpError(what, where="--runtime", fix=fix)
    for word in asked:
        if word in RUNTIMES:
            form_words(RUNTIMES[word].form)
    return [mode for mode in MODES if mode in asked]


TIMED = ("safetensors", "pt2", "onnx")
