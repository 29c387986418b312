"""Jobs that prune: masks stay masks through recovery, resume and copies; controls have the pruned network's widths."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from engine.core.latency.table import Times, add_times, setting_name
from engine.core.network.build import build_network
from engine.core.network.timm_units import find_timm_parts
from engine.core.prune.masks import maskable, two_of_four_share, two_of_four_weights
from engine.home.files import read_json
from engine.home.paths import JobFolder
from engine.inputs.machine import cpu_model
from engine.run import pruning as pruning_here
from engine.run.exporting import export_network
from engine.run.inputs import load_trained
from engine.spec import Prune, Student
from tests.core.latency.networks import WHOLES
from tests.helpers.forking import strike
from tests.run.bench import NETWORK, TRAIN, Bench, digits_bench, figures, visible_lines

RECOVERY = ("recover",)
SGD = {**TRAIN, "optimizer": "sgd", "weight_decay": 0.1, "ema": 0.9, "lr": 0.02}
TIMM = {"arch": "timm/mobilenetv3_small_050"}
MASK = {"method": "unstructured", "ratio": 0.3}
SLOW = pytest.mark.slow
CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "layer": (MASK, TRAIN),
    "global": ({**MASK, "scope": "global", "criterion": "l1"}, SGD),
    "semi": ({"method": "2:4", "ratio": 0.5}, TRAIN),
    "grown": (
        {"method": "unstructured", "ratio": 0.3, "when": "gradual", "criterion": "l1"},
        {**SGD, "clip_grad": None},
    ),
    "chance": ({"method": "unstructured", "ratio": 0.3, "when": "gradual", "criterion": "random"}, TRAIN),
    "before": ({"method": "unstructured", "ratio": 0.3, "when": "before"}, TRAIN),
}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with digits_bench(tmp_path_factory.mktemp("home")) as bench:
        assert bench.run(bench.train("train-1")) == 0
        yield bench


def pruning(
    bench: Bench, name: str, prune: dict[str, Any], needs: dict[str, str] | None = None, **more: Any
) -> JobFolder:
    parent = {} if prune.get("when") == "before" else {"parent": "train-1"}
    words = {"ratio": 0.2, "recover_epochs": 2, **prune}
    return bench.train(name, "prune", {**parent, **(needs or {})}, prune=words, **more)


def done(bench: Bench, job: JobFolder) -> JobFolder:
    if not job.result.exists():
        assert bench.run(job) == 0, (job.attempts()[-1].root / "log.txt").read_text()
    return job


def measured(job: JobFolder) -> dict[str, float]:
    return {line["name"]: line["value"] for line in visible_lines(job) if line["type"] == "measurement"}


def zeros_of(bench: Bench, job: JobFolder) -> dict[str, Tensor]:
    return {name: weight.detach() == 0 for name, weight in maskable(load_trained(bench.home, job)).items()}


def weights(job: JobFolder) -> str:
    return str(read_json(job.result)["weights_sha256"])


@pytest.mark.parametrize("case", [pytest.param(case, marks=[SLOW] * (case == "chance")) for case in CASES])
def test_a_mask_is_there_after_recovery_and_is_counted(case: str, bench: Bench) -> None:
    prune, train = CASES[case]
    job = done(bench, pruning(bench, f"prune-{case}", prune, train=train))
    found, told = zeros_of(bench, job), measured(job)
    zeros = sum(int(part.sum()) for part in found.values())
    assert told["params_nonzero"] == told["params"] - zeros
    assert told["params"] == told["params_before"]
    assert told["prune_achieved"] == pytest.approx(zeros / told["params"])
    if case == "semi":
        fours = two_of_four_weights(load_trained(bench.home, job)).values()
        assert two_of_four_share(list(fours)) == 1.0
    else:
        assert zeros / told["params"] == pytest.approx(0.3, abs=0.01)
    winner = job.winner()
    assert winner is not None
    assert read_json(winner.artifacts / "network.json")["zeros"] == zeros


@pytest.mark.parametrize("case", ["grown", *(pytest.param(case, marks=SLOW) for case in ("global", "chance", "semi"))])
def test_a_mask_that_is_killed_goes_on_to_the_same_bits(case: str, bench: Bench) -> None:
    prune, train = CASES[case]
    whole = done(bench, pruning(bench, f"prune-{case}", prune, train=train))
    killed = pruning(bench, f"prune-{case}-killed", prune, train=train)
    pid, _ = bench.start_held(killed, RECOVERY, 7, save_minutes=1e-6)
    strike(pid, signal.SIGKILL)
    assert bench.server.wait() == -signal.SIGKILL
    assert bench.run(killed) == 0
    assert weights(killed) == weights(whole)
    assert figures(killed) == figures(whole)


def test_a_structured_pruning_that_is_killed_goes_on_to_the_same_bits(bench: Bench) -> None:
    words = {"scope": "global", "embedding": True}
    whole, killed = (pruning(bench, f"prune-cut-{name}", words) for name in ("whole", "killed"))
    done(bench, whole)
    pid, _ = bench.start_held(killed, RECOVERY, 7, save_minutes=1e-6)
    strike(pid, signal.SIGKILL)
    assert bench.server.wait() == -signal.SIGKILL
    assert bench.run(killed) == 0
    assert weights(killed) == weights(whole)


def test_what_is_pruned_before_its_training_has_all_epochs(bench: Bench) -> None:
    job = done(bench, pruning(bench, "prune-early", {"when": "before"}))
    assert read_json(job.result)["steps"] == (3 + 2) * 9
    told = measured(job)
    assert told["prune_achieved"] == pytest.approx(0.2, abs=0.01)
    assert told["params"] < told["params_before"]


@pytest.mark.parametrize("form", ["onnx", *(pytest.param(form, marks=SLOW) for form in ("safetensors", "pt2"))])
def test_a_mask_is_in_its_exported_file(form: str, bench: Bench, tmp_path: Path) -> None:
    """Zeros are read back from the file: none is lost where a graph is written and norms are folded into weights."""
    prune, train = CASES["layer"]
    job = done(bench, pruning(bench, "prune-layer", prune, train=train))
    found = export_network(bench.home, job.job, form, tmp_path / f"a.{form}")
    told = measured(job)
    zeros = sum(int((value == 0).sum()) for value in weights_of(found.path))
    assert zeros >= told["params"] - told["params_nonzero"] > 0
    assert zeros <= 1.02 * (told["params"] - told["params_nonzero"]), "and no more of them than were asked for"


def weights_of(path: Path) -> list[Tensor]:
    """Return the weights of two and more axes that a file holds."""
    if path.suffix == ".safetensors":
        held: Any = load_file(path).values()
    elif path.suffix == ".pt2":
        held = torch.export.load(path).state_dict.values()
    else:
        import onnx  # an extra

        graph = onnx.load(path).graph
        held = [torch.from_numpy(onnx.numpy_helper.to_array(one).copy()) for one in graph.initializer]
    return [value for value in held if value.ndim > 1 and value.is_floating_point()]


def test_from_scratch_has_the_widths_of_the_pruned_and_other_weights(bench: Bench) -> None:
    pruned = done(bench, pruning(bench, "prune-widths", {"scope": "global"}))
    scratch = bench.train("train-scratch", needs={"pruned": pruned.job})
    done(bench, scratch)
    one, other = (load_trained(bench.home, job) for job in (pruned, scratch))
    assert one.widths == other.widths
    assert weights(pruned) != weights(scratch)
    assert measured(scratch)["params"] == measured(pruned)["params"]


def test_from_scratch_has_the_mask_of_the_pruned_and_keeps_it(bench: Bench) -> None:
    prune, train = CASES["layer"]
    pruned = done(bench, pruning(bench, "prune-layer", prune, train=train))
    scratch = done(bench, bench.train("train-masked", needs={"pruned": pruned.job}))
    one, other = zeros_of(bench, pruned), zeros_of(bench, scratch)
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert measured(scratch)["params_nonzero"] == measured(pruned)["params_nonzero"]


@pytest.mark.slow
def test_from_scratch_with_a_mask_goes_on_to_the_same_bits(bench: Bench) -> None:
    prune, train = CASES["layer"]
    pruned = done(bench, pruning(bench, "prune-layer", prune, train=train))
    scratch, killed = (bench.train(f"train-masked{name}", needs={"pruned": pruned.job}) for name in ("", "-killed"))
    done(bench, scratch)
    pid, _ = bench.start_held(killed, ("train",), 12, save_minutes=1e-6)
    strike(pid, signal.SIGKILL)
    assert bench.server.wait() == -signal.SIGKILL
    assert bench.run(killed) == 0
    assert weights(killed) == weights(scratch)


@pytest.mark.slow
def test_by_chance_takes_as_much_of_each_layer_as_the_criterion_did(bench: Bench) -> None:
    pruned = done(bench, pruning(bench, "prune-widths", {"scope": "global"}))
    chance = pruning(bench, "prune-chance-widths", {"scope": "global", "control": "random"}, {"pruned": pruned.job})
    done(bench, chance)
    one, other = (load_trained(bench.home, job) for job in (pruned, chance))
    assert one.widths == other.widths
    assert weights(pruned) != weights(chance)
    prune, train = CASES["global"]
    masked = done(bench, pruning(bench, "prune-global", prune, train=train))
    drawn = pruning(bench, "prune-global-chance", {**prune, "control": "random"}, {"pruned": masked.job}, train=train)
    counts = [{n: int(part.sum()) for n, part in zeros_of(bench, job).items()} for job in (masked, done(bench, drawn))]
    assert counts[0] == counts[1]


def test_a_pruned_network_of_timm_loads_by_itself(bench: Bench) -> None:
    done(bench, bench.train("train-timm", network=TIMM, train={**TRAIN, "epochs": 1}))
    words: dict[str, Any] = {"ratio": 0.2, "recover_epochs": 1}
    job = bench.train("prune-timm", "prune", {"parent": "train-timm"}, network=TIMM, prune=words)
    done(bench, job)
    network, told = load_trained(bench.home, job), measured(job)
    assert sum(value.numel() for value in network.parameters()) == told["params"]
    assert told["prune_achieved"] == pytest.approx(0.2, abs=0.01)
    assert any(find_timm_parts(module) for module in network.modules())


def test_what_cannot_be_pruned_ends_with_the_reason(bench: Bench, tmp_path: Path) -> None:
    job = pruning(bench, "prune-most", {"ratio": 0.97})
    assert bench.run(job) != 0
    log = (job.attempts()[-1].root / "log.txt").read_text()
    assert "lies in units that can go" in log
    assert "Traceback" not in log


# A share of latency ---------------------------------------------------------------------------------------------------

LATENCY = {"threads": 1, "device": "cpu"}
WIDTHS = {"mid": [20], "heads": [[1], [1], [2]], "hidden": [[24], [40], [48]]}


class Told:
    """What pruning needs of an attempt that is no control."""

    def __init__(self) -> None:
        self.needs: dict[str, str] = {}
        self.extra: dict[str, Any] = {}
        self.facts: dict[str, Any] = {}
        self.journal = self

    def beat(self, phase: str) -> None:
        """Nobody waits for a sign of life."""

    def fact(self, name: str, value: Any) -> None:
        self.facts[name] = value


def test_a_share_of_latency_has_the_solved_widths_and_all_three_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock is made up: foretold 19 %, measured 18 %."""
    asked: list[Any] = []

    def check(attempt: Any, image_size: int, widths: Any) -> dict[str, float]:
        asked.append(widths)
        return {"value": 0.18}

    monkeypatch.setattr(pruning_here, "solve_here", lambda attempt, size: {"widths": WIDTHS, "share": 0.19})
    monkeypatch.setattr(pruning_here, "check_here", check)
    network, attempt, told = build_network(Student.model_validate(NETWORK), 10, 24), Told(), dict[str, float]()
    prune = Prune.model_validate({"ratio": 0.2, "of": "latency", "criterion": "l1"})
    pruning_here.prune_here(
        attempt, network, prune, (), 0, 24, lambda name, value, unit: told.update({name: value})  # type: ignore[arg-type]
    )  # fmt: skip
    assert (told["prune_asked"], told["prune_predicted"], told["prune_achieved"]) == (0.2, 0.19, 0.18)
    held = json.loads(json.dumps(attempt.extra["widths"]))
    assert held == json.loads(json.dumps(asked[0])) == WIDTHS
    assert attempt.facts["prune"]["of"] == "latency"
    assert network(torch.zeros(2, 3, 24, 24)).shape == (2, 10)


@pytest.mark.slow
@pytest.mark.parametrize(("phases", "step"), [(("latency",), 0), (RECOVERY, 7)], ids=["while timing", "in recovery"])
def test_a_share_of_latency_that_is_killed_goes_on_to_the_same_bits(
    phases: tuple[str, ...], step: int, tmp_path: Path
) -> None:
    prune = {"ratio": 0.02, "of": "latency", "criterion": "l1"}
    with digits_bench(tmp_path) as bench:
        # The reference networks take longest, and decide no share.
        add_times(bench.home.latencies(cpu_model()), setting_name(1, 1, "fp32"), Times(wholes=WHOLES))
        done(bench, bench.train("train-1"))
        killed, whole = (pruning(bench, f"prune-{name}", prune, latency=LATENCY) for name in ("killed", "whole"))
        pid, _ = bench.start_held(killed, phases, step, save_minutes=1e-6)
        strike(pid, signal.SIGKILL)
        assert bench.server.wait() == -signal.SIGKILL
        done(bench, killed)
        done(bench, whole)
        assert weights(killed) == weights(whole)
        told = measured(killed)
        assert abs(told["prune_predicted"] - 0.02) <= 0.01
        assert told["prune_achieved"] < 1.0
