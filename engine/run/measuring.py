"""The job that measures: takes an attempt, gives size, speed and memory of its network, in turn with the baseline's.

The job's process runs no operator itself: it reads, counts and times in processes of their own (bench_process.py).
On a GPU the figures without a suffix are of graph replay, what the card needs; those of eager calls, which the host
waits for, and of the compiled network have a suffix of their own. A network that cannot be captured is measured eager.
In a runtime both networks are files, written for this alone; a quantised network is a file and nothing else.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

from torch import nn

from engine.core.measure import Load, Mode
from engine.core.runtimes.alone import Alone, Task, run_alone
from engine.core.runtimes.registry import RUNTIMES
from engine.errors import JobError
from engine.home.paths import JobFolder
from engine.inputs.machine import MachineState, machine_state
from engine.run.attempt import Attempt
from engine.run.bench_process import BenchProcess
from engine.run.inputs import bare_network, load_trained
from engine.run.measure_log import MeasureLog
from engine.run.network_bench import Counts, NetworkBench, Setup
from engine.run.provenance import write_origin
from engine.run.rounds import Bench, time_rounds
from engine.spec import Student
from engine.spec.forms import FORMS
from engine.spec.job_file import read_job
from engine.spec.job_settings import JobSettings, MeasureSettings

ALONE_ROUNDS = 3  # processes that only run a file: what they hold hardly differs
WEIGHTS, GIVEN_FILE = "weights.safetensors", "network.onnx"


@dataclass(frozen=True)
class Measured:
    """A network of a measure job: how it is made, and its files by runtime; `is_file` where it is that and no more."""

    build: Callable[[], nn.Module]
    files: dict[str, Path]
    is_file: bool = False


@dataclass(frozen=True)
class Modes:
    """How networks are called: `shown` is what a report shows, `apart` the others, `refused` why not in some way."""

    shown: Mode | None
    apart: tuple[Mode, ...] = ()
    refused: dict[str, str] = field(default_factory=dict)

    def loads(self, settings: MeasureSettings) -> list[Load]:
        """Return every load in every way; eager calls come first, whose peaks hold the trials of kernels."""
        asked = (self.shown, *self.apart) if self.shown is not None else self.apart
        modes = sorted(asked, key=lambda mode: mode != "eager")
        sizes = [(size, threads) for threads in settings.measure.threads for size in settings.measure.batch_sizes]
        return [Load(size, threads, mode) for size, threads in sizes for mode in modes]

    @property
    def runtimes(self) -> list[str]:
        return [mode for mode in self.apart if mode in RUNTIMES]


def run_measure(attempt: Attempt) -> None:
    """Measure a network in the shape of its parent, else of its settings; weights do not matter.

    Where the settings name the baseline's network, both are measured in turn, and their ratio is a figure too. A batch
    size that does not fit is a figure; MemoryError where none fits. JobError where the network is a file, and no
    runtime opens it.
    """
    with tempfile.TemporaryDirectory(dir=attempt.folder.root, prefix=".files.") as folder:
        _measure(attempt, _list_networks(attempt, Path(folder)))


def _measure(attempt: Attempt, networks: Sequence[Measured]) -> None:
    settings = attempt.settings(MeasureSettings)
    measure, progress = settings.measure, Progress(attempt, settings.measure.rounds)
    openers = [partial(_open_bench, attempt, progress, network) for network in networks]
    with openers[0]() as bench:
        counts: Counts = bench.ask("count")
    write_origin(attempt, counts.device, measure.threads[0], None)
    log = MeasureLog(attempt, counts.device)
    log.add_counts(counts.figures)
    modes = _find_modes(settings, counts.device, networks, openers)
    before, look = machine_state(), partial(_look_spent, log, modes)
    timings = time_rounds(
        openers, modes.loads(settings), measure.rounds, measure.seconds, progress.begin, look
    )  # fmt: skip
    for load, (own, *base) in timings.items():
        log.add_load(load, own, base[0] if base else None, is_apart=load.mode != modes.shown)
    for word in modes.runtimes:
        log.add_alone(word, networks[0].files[word].stat().st_size, *_run_alone(settings, word, networks[0], progress))
    _write_facts(attempt, modes, before, log)
    attempt.write_result(0, log.figures)


def _write_facts(attempt: Attempt, modes: Modes, before: MachineState, log: MeasureLog) -> None:
    """Write how the networks were called, what the machine was like, and the rounds."""
    if modes.refused or modes.shown != "eager" or modes.apart:
        attempt.journal.fact("modes", {"shown": modes.shown, "apart": modes.apart, "refused": modes.refused})
    attempt.journal.fact("machine", {"before": asdict(before), "after": asdict(machine_state()), "noisy": log.noisy})
    log.write_rounds()


def _list_networks(attempt: Attempt, folder: Path) -> list[Measured]:
    """Return the network of the job and, where there is one beside it, the baseline's; files are not written yet."""
    settings = attempt.settings(MeasureSettings)
    given = _given_file(attempt)
    runtimes = settings.measure.runtimes or (["onnxruntime"] if given else [])
    files = [
        {word: folder / f"{place}-{word}{FORMS[RUNTIMES[word].form].suffix}" for word in runtimes} for place in "ab"
    ]
    own = Measured(partial(_own_network, attempt), files[0])
    found = [own if given is None else Measured(own.build, {"onnxruntime": given}, is_file=True)]
    if settings.against is not None:
        found.append(Measured(partial(_bare_network, settings, settings.against), files[1]))
    return found


def _given_file(attempt: Attempt) -> Path | None:
    """Return the file that the parent made in the place of trained weights, None where it made none."""
    winner = attempt.need("parent").winner() if "parent" in attempt.needs else None
    file = winner.artifacts / GIVEN_FILE if winner else None
    return file if file is not None and file.is_file() else None


def _find_modes(
    settings: MeasureSettings,
    device: str,
    networks: Sequence[Measured],
    openers: Sequence[Callable[[], BenchProcess[NetworkBench]]],
) -> Modes:
    """Return how all networks can be called: each is tried with the smallest batch, in a process of its own."""
    replays = settings.timing == "replays" and device != CPU
    asks: dict[Mode, bool] = {"graph": replays, "compiled": settings.measure.compiled}
    is_file = networks[0].is_file
    asked = [mode for mode, is_asked in asks.items() if is_asked and not is_file]
    words: list[Mode] = list(networks[0].files)  # type: ignore[arg-type]  # each is a mode
    refused: dict[str, str] = {}
    for network, opener in zip(networks, openers, strict=True) if asked or words else []:
        refused |= _try(settings, network, opener, asked, words)
    for mode, why in refused.items():
        print(f"not measured as {mode}: {why}", flush=True)
    can, timed = [mode for mode in asked if mode not in refused], [word for word in words if word not in refused]
    if is_file and not timed:
        raise JobError(f"the network is a file, and cannot be run: {refused[words[0]]}", where=GIVEN_FILE)
    apart: list[Mode] = ["eager", *(mode for mode in can if mode != "graph")] if "graph" in can else can
    shown: Mode | None = "graph" if "graph" in can else "eager"
    return Modes(None if is_file else shown, (*apart, *timed), refused)


def _try(
    settings: MeasureSettings,
    network: Measured,
    opener: Callable[[], BenchProcess[NetworkBench]],
    asked: Sequence[Mode],
    words: Sequence[Mode],
) -> dict[str, str]:
    smallest, threads = min(settings.measure.batch_sizes), settings.measure.threads[0]
    with opener() as bench:
        found: dict[str, str] = bench.ask("refusals", [Load(smallest, threads, mode) for mode in asked])
    with opener() as bench:  # what is written is no more on a card, nor compiled
        if not network.is_file and words:
            found |= bench.ask("write", {word: network.files[word] for word in words})
        found |= bench.ask("refusals", [Load(smallest, threads, word) for word in words if word not in found])
    return found


def _look_spent(log: MeasureLog, modes: Modes, bench: Bench, load: Load) -> None:
    if load.mode == modes.shown or load.mode in RUNTIMES:
        log.add_spent(load, bench.ask("spend", load))


def _run_alone(
    settings: MeasureSettings, word: str, network: Measured, progress: Progress
) -> tuple[list[Alone], dict[str, dict[str, int]]]:
    """Return what processes found that only ran the file, under the smallest load, and which operators ran where."""
    measure = settings.measure
    task = Task(word, network.files[word], min(measure.batch_sizes), settings.image_size, measure.threads[0])
    rounds = range(min(ALONE_ROUNDS, measure.rounds))
    found = [run_alone(task, progress.look_up) for _ in rounds]
    return found, run_alone(task, progress.look_up, operators=True).operators


@dataclass
class Progress:
    """Which round it is; looked at while a bench is at work, so that a job that is asked to stop leaves at once."""

    attempt: Attempt
    rounds: int
    done: int = 0

    def begin(self, number: int) -> None:
        self.done = number
        self.look_up()

    def look_up(self) -> None:
        self.attempt.watch("measure", self.done, self.rounds)


def _open_bench(attempt: Attempt, progress: Progress, network: Measured) -> BenchProcess[NetworkBench]:
    settings, home = attempt.settings(MeasureSettings), attempt.home
    setup = Setup(
        attempt.order.slot, settings.measure.threads[0], settings.image_size, settings.precision,
        home.attention_times, home.compiled, network.files,
    )  # fmt: skip
    return BenchProcess(partial(NetworkBench, setup, network.build), progress.look_up)


def _own_network(attempt: Attempt) -> nn.Module:
    if "parent" in attempt.needs:
        return load_trained(attempt.home, _trained_job(attempt, attempt.need("parent")))
    settings = attempt.settings(MeasureSettings)
    return _bare_network(settings, settings.network)


def _trained_job(attempt: Attempt, job: JobFolder) -> JobFolder:
    """Return the job whose weights a file was made from; the job itself where it has weights."""
    needs = read_job(job, JobSettings).needs
    winner = job.winner()
    is_trained = winner is None or (winner.artifacts / WEIGHTS).exists() or "parent" not in needs
    return job if is_trained else _trained_job(attempt, attempt.home.job(needs["parent"]))


def _bare_network(settings: MeasureSettings, network: Student) -> nn.Module:
    return bare_network(network, settings.classes_here, settings.image_size, None)


CPU = "cpu"  # what device_name calls it
