"""Teachers of every kind as processes, and the mistakes people make with them: stopped before any student starts."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from engine.cli import main
from engine.core.data.pack import open_pack
from engine.core.data.wordnet import slice_places
from engine.core.distill.targets import open_targets
from engine.errors import DataError
from engine.home.files import read_json
from engine.home.paths import Home, JobFolder, open_home
from engine.inputs.looks import Look, look_metadata
from engine.inputs.splits import make_split
from engine.launch import Order
from engine.load import load_spec
from engine.plan import Job, Plan, make_plan
from engine.run.inputs import Images
from engine.run.targets import targets_origin
from engine.schedule.submit import submit_plan
from engine.spec.job_file import read_job
from engine.spec.job_settings import TargetsSettings
from store.journal import read_journal
from tests.helpers.answering import answer_here
from tests.helpers.forking import ForkServer, shared_server

ROOT = Path(__file__).parents[2]
TINY = ROOT / "tests" / "resources" / "tiny.yaml"
ORDER = [3, 4, 5, 6, 7, 8, 9, 0, 1, 2]
Weights = dict[str, torch.Tensor]
LOOK = look_metadata(Look(32, 0.875, "bicubic"))  # as the teacher was trained


@dataclass
class Lab:
    """A home in which single jobs of plans are run, without a scheduler."""

    home: Home
    server: ForkServer
    weights: Path = Path()

    def plan(self, *overrides: str) -> Plan:
        made = make_plan(load_spec(TINY, ("seeds=[0]", "arms.distilled_pruned=null", *overrides)), self.home)
        submit_plan(made, self.home)
        return made

    def run(self, plan: Plan, role: str, arm: str = "distilled") -> tuple[int, JobFolder]:
        """Do the job of `role` and all before it; return how the last one that ran ended, and its folder."""
        jobs = {job.key: job for job in plan.jobs}
        wanted = next(run.jobs[role] for run in plan.runs if run.arm == arm)
        code = 0
        for key in self._before(jobs, wanted):
            folder = self.home.job(key)
            code = 0 if folder.result.exists() else self._attempt(jobs[key])
            if code:
                return code, folder
        return code, folder

    def _before(self, jobs: dict[str, Job], key: str) -> list[str]:
        needs = [need for role in jobs[key].needs.values() for need in self._before(jobs, role)]
        return list(dict.fromkeys([*needs, key]))

    def _attempt(self, job: Job) -> int:
        self.server.start(Order(self.home, job.key, len(self.home.job(job.key).attempts()) + 1))
        return self.server.wait()

    def changed(self, name: str, change: Callable[[Weights], Weights]) -> Path:
        """Write the trained teacher's weights, changed."""
        path = self.weights.with_name(f"{name}.safetensors")
        save_file(change(load_file(self.weights)), path, metadata=LOOK)
        return path


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    root = tmp_path_factory.mktemp("lab")
    lab = Lab(open_home(root / "home", create=True), shared_server(), root / "good.safetensors")
    code, job = lab.run(lab.plan("teacher.train.epochs=4"), "teacher")
    assert code == 0
    winner = job.winner()
    assert winner is not None
    shutil.copy(winner.artifacts / "weights.safetensors", lab.weights)
    with mock.patch("engine.plan.child.run_child", answer_here):
        yield lab


def given(path: Path) -> tuple[str, ...]:
    return ("teacher.train=null", f"teacher.weights={path}")


def facts(job: JobFolder) -> dict[str, Any]:
    winner = job.winner()
    assert winner is not None
    return {line["name"]: line["value"] for line in read_journal(winner.journal)[0] if line["type"] == "fact"}


def log_of(job: JobFolder) -> str:
    return job.attempts()[-1].log.read_text()


def head_rows(rows: list[int]) -> Callable[[Weights], Weights]:
    """Return a change that keeps these rows of the classifier, in this order."""
    return lambda state: {
        name: value[rows].contiguous() if name.startswith("head.fc") else value for name, value in state.items()
    }


def without_head(state: Weights) -> Weights:
    return {name: value for name, value in state.items() if not name.startswith("head.fc")}


# Every kind -----------------------------------------------------------------------------------------------------------


def test_a_file_teaches_as_the_network_that_it_came_from(lab: Lab) -> None:
    code, job = lab.run(lab.plan(*given(lab.weights)), "targets")
    assert code == 0
    known = facts(job)["targets"]["teacher"]
    assert (known["head"], known["outputs"], known["image_size"]) == ("own", 10, 32)
    trained = lab.run(lab.plan("teacher.train.epochs=4"), "targets")[1]
    mine, theirs = (read_json(one.result)["figures"] for one in (job, trained))
    shares = {"train": 0.6, "val": 0.2, "test": 0.2}
    assert mine["all_top1"] == pytest.approx(sum(shares[part] * theirs[f"{part}_top1"] for part in shares), abs=2e-3)


def test_a_head_in_another_order_teaches_once_its_classes_are_named(lab: Lab) -> None:
    plain = read_json(lab.run(lab.plan(*given(lab.weights)), "targets")[1].result)["figures"]
    order = lab.changed("order", head_rows(ORDER))
    names = ", ".join(f"'{digit}'" for digit in ORDER)
    code, job = lab.run(lab.plan(*given(order), f"teacher.classes=[{names}]"), "targets")
    assert code == 0
    assert read_json(job.result)["figures"]["all_top1"] == plain["all_top1"]
    assert facts(job)["targets"]["teacher"]["head"] == "slice"
    assert read_json(job.result)["figures"]["in_slice_mass"] == pytest.approx(1.0)


def test_the_mass_in_the_slice_is_recorded(lab: Lab) -> None:
    def widen(state: Weights) -> Weights:
        """Twice the head: the second half says the same, so that half of the mass lies outside of the slice."""
        return {name: torch.cat([v, v]) if name.startswith("head.fc") else v for name, v in state.items()}

    names = ", ".join(f"'{digit}'" for digit in [*range(10), *(f"other {digit}" for digit in range(10))])
    code, job = lab.run(lab.plan(*given(lab.changed("wide", widen)), f"teacher.classes=[{names}]"), "targets")
    assert code == 0
    assert read_json(job.result)["figures"]["in_slice_mass"] == pytest.approx(0.5, abs=1e-4)


def test_a_probe_needs_no_head_keeps_the_backbone_and_beats_chance(lab: Lab) -> None:
    headless = lab.changed("headless", without_head)
    code, job = lab.run(lab.plan(*given(headless), "teacher.head=probe"), "teacher")
    assert code == 0
    winner = job.winner()
    assert winner is not None
    state, start = load_file(winner.artifacts / "weights.safetensors"), load_file(lab.weights)
    changed = {name for name, value in state.items() if not torch.equal(value, start[name])}
    assert changed == {"head.fc.weight", "head.fc.bias"}
    assert read_json(job.result)["figures"]["test_top1"] > 0.3
    assert facts(job)["probe"]["features"] == 64
    assert lab.run(lab.plan(*given(headless), "teacher.head=probe"), "student")[0] == 0


def test_fine_tuning_begins_at_the_weights_with_a_fresh_head(lab: Lab) -> None:
    still = "teacher.train={epochs: 1, lr: 1.0e-12, min_lr: 0}"
    plan = lab.plan(f"teacher.weights={lab.weights}", "teacher.head=finetune", still)
    code, job = lab.run(plan, "teacher")
    assert code == 0
    winner = job.winner()
    assert winner is not None
    state, start = load_file(winner.artifacts / "weights.safetensors"), load_file(lab.weights)
    moved = {name: float((value - start[name]).abs().max()) for name, value in state.items()}
    assert max(moved[name] for name in moved if not name.startswith("head.fc")) < 1e-6
    assert moved["head.fc.weight"] > 0.01


def test_another_runs_network_teaches(lab: Lab) -> None:
    first = lab.plan("name=first")
    code, _ = lab.run(lab.plan("name=second", "teacher.run=first/original"), "targets")
    assert code == 0
    assert lab.home.job(next(run.jobs["student"] for run in first.runs if run.arm == "original")).result.exists()


def test_a_teacher_may_look_at_larger_images_than_its_student(lab: Lab) -> None:
    code, job = lab.run(lab.plan("teacher.train.epochs=4", "teacher.image_size=40"), "student")
    assert code == 0
    targets = lab.home.job(read_json(job.spec)["needs"]["targets"])
    assert facts(targets)["targets"]["teacher"]["image_size"] == 40
    assert read_json(job.spec)["settings"]["data"]["image_size"] == 32


def test_a_chain_of_assistants_is_trained_link_by_link(lab: Lab) -> None:
    tiny = "{arch: tiny_vit, dims: [8, 16, 32, 32], depths: [1, 1, 1, 1], heads: [1, 2, 2, 2], windows: [4, 4, 2, 1]}"
    plan = lab.plan("teacher.train.epochs=4", f"teacher.assistants=[{tiny}, {tiny}]")
    code, job = lab.run(plan, "targets")
    assert code == 0
    run = next(run for run in plan.runs if run.arm == "distilled")
    assert read_json(job.spec)["needs"]["teacher"] == run.jobs["assistant_2"]
    assert all(lab.home.job(run.jobs[role]).result.exists() for role in ("assistant_1", "assistant_1_targets"))


def test_a_head_of_imagenet_is_sliced_by_wordnet_id(lab: Lab, tmp_path: Path) -> None:
    """A trained head spread over ImageNet's thousand classes says the same of the classes that are here."""
    names = [f"n0{number}" for number in (1440764, 3888257)]
    for label, name in enumerate(names):
        (tmp_path / "images" / name).mkdir(parents=True)
        for number in range(60):
            pixels = np.random.default_rng([label, number]).integers(0, 90, (16, 16, 3)) + 160 * label
            Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / "images" / name / f"{number}.png")
    folder = ("data.source=folder", f"data.root={tmp_path / 'images'}", "data.short_side=16")
    code, trained = lab.run(lab.plan(*folder, "teacher.train={epochs: 6, lr: 4.0e-3}"), "targets")
    assert code == 0, log_of(trained)
    teacher = lab.home.job(read_json(trained.spec)["needs"]["teacher"]).winner()
    assert teacher is not None
    state = load_file(teacher.artifacts / "weights.safetensors")
    wide = {name: value for name, value in state.items() if not name.startswith("head.fc")}
    wide["head.fc.weight"], wide["head.fc.bias"] = torch.zeros(1000, 64), torch.full((1000,), -20.0)
    places = slice_places(names, 1000)
    wide["head.fc.weight"][places], wide["head.fc.bias"][places] = state["head.fc.weight"], state["head.fc.bias"]
    save_file(wide, tmp_path / "wide.safetensors")
    code, job = lab.run(lab.plan(*folder, *given(tmp_path / "wide.safetensors")), "targets")
    assert code == 0, log_of(job)
    known, figures = facts(job)["targets"]["teacher"], read_json(job.result)["figures"]
    assert (known["head"], known["outputs"]) == ("slice", 1000)
    assert figures["in_slice_mass"] == pytest.approx(1.0, abs=1e-4)
    parts = read_json(trained.result)["figures"]
    shares = {"train": 0.6, "val": 0.2, "test": 0.2}
    assert figures["all_top1"] == pytest.approx(sum(shares[part] * parts[f"{part}_top1"] for part in shares), abs=2e-3)


# Mistakes -------------------------------------------------------------------------------------------------------------


MISTAKES: dict[str, tuple[Callable[[Weights], Weights], tuple[str, ...], tuple[str, ...]]] = {
    "its classes in another order": (head_rows(ORDER), (), ("guessing gives 10.0%", "teacher.classes")),
    "pixels normalised otherwise": (
        dict,
        ("teacher.mean=[9, 9, 9]", "teacher.std=[0.01, 0.01, 0.01]"),
        ("guessing gives 10.0%", "teacher.mean"),
    ),
    "a network full of NaN": (
        lambda state: {name: value * float("nan") for name, value in state.items()},
        (),
        ("holds NaN", "take the weights of an earlier checkpoint"),
    ),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_teacher_that_cannot_teach_stops_before_its_student(case: str, lab: Lab) -> None:
    change, words, said = MISTAKES[case]
    plan = lab.plan(*given(lab.changed("mistake", change)), *words)
    code, job = lab.run(plan, "student")
    assert code == 88
    assert read_json(job.spec)["kind"] == "targets"
    log = log_of(job)
    assert all(word in log for word in said), log
    assert "fix: " in log
    assert "Traceback" not in log
    assert not lab.home.targets(job.job).exists()
    student = next(run.jobs["student"] for run in plan.runs if run.arm == "distilled")
    assert not lab.home.job(student).attempts()


def test_another_networks_weights_are_refused_in_the_plan(lab: Lab) -> None:
    def rename(state: Weights) -> Weights:
        return {name.replace("stages", "layers"): value for name, value in state.items()}

    with pytest.raises(DataError, match=r"do not fit: .* are not in this network\nfix: use weights of the same arch"):
        lab.plan(*given(lab.changed("renamed", rename)))


def test_a_trained_network_says_how_it_looks(lab: Lab) -> None:
    plan = lab.plan(*given(lab.weights), "data.image_size=40")
    told = next(job.settings for job in plan.jobs if job.kind == "targets")
    assert isinstance(told, TargetsSettings)
    assert (told.data.image_size, told.expect) == (32, "any")


def test_weights_that_change_after_submission_are_refused(lab: Lab) -> None:
    path = lab.changed("changing", dict)
    plan = lab.plan(*given(path), "data.view_seed=5")
    save_file(head_rows(ORDER)(load_file(lab.weights)), path)
    code, job = lab.run(plan, "targets")
    assert code == 88
    assert "have changed since the experiment was submitted" in log_of(job)


def test_pretrained_weights_without_a_hub_name_both_ways(lab: Lab) -> None:
    words = ("teacher.train=null", "teacher.options=null", "teacher.arch=timm/resnet10t.c3_in1k")
    plan = lab.plan(*words, "teacher.weights=pretrained", "teacher.head=probe")
    code, job = lab.run(plan, "teacher")
    assert code == 88
    assert "access to the hub" in log_of(job)
    assert "weights: FILE.safetensors" in log_of(job)
    assert len(log_of(job)) < 300, "status shows no more of it"


def without(text: str, *lines: str) -> str:
    assert all(text.count(line) == 1 for line in lines)
    return "".join(line for line in text.splitlines(keepends=True) if line not in lines)


def test_wrong_class_order_ends_the_experiment_with_its_reason(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The whole flow as a person meets it: exit code 1, the reason on the screen, no student begun."""
    spec = tmp_path / "taught.yaml"  # the taught arm alone
    others = ("  original: {}\n", "  distilled_pruned: {extends: distilled, prune: {ratio: 0.2, recover_epochs: 1}}\n")
    spec.write_text(without(TINY.read_text(), *others).replace("baseline: original", "baseline: distilled"))
    words = [word for over in given(lab.changed("order", head_rows(ORDER))) for word in ("--set", over)]
    monkeypatch.setattr("sys.argv", ["xp", "submit", str(spec), "--wait", "--set", "seeds=[0]", *words])
    monkeypatch.setenv("XP_HOME", str(tmp_path / "home"))
    with pytest.raises(SystemExit) as ended:
        main()
    answer = capsys.readouterr().err
    assert ended.value.code == 1, answer
    said = " ".join(answer.split())
    assert "guessing gives 10.0% and could come as far" in said
    assert "teacher.classes" in said
    home = open_home(tmp_path / "home")
    taught = [job for job in home.jobs() if "targets" in read_json(job.spec)["needs"]]
    assert taught
    assert not any(job.attempts() for job in taught)


# Nobody reads more than their own training part -----------------------------------------------------------------------


def test_shared_targets_open_for_a_students_training_images_alone(lab: Lab) -> None:
    code, job = lab.run(lab.plan(*given(lab.weights)), "targets")
    assert code == 0
    spec = read_job(job, TargetsSettings)
    pack, data = open_pack(lab.home.pack(spec.needs["pack"])), spec.settings.data
    for text in ("60/20/20", "80/10/10"):
        split = make_split(pack.keys, pack.labels, pack.class_names, text, 0, groups=pack.group_names)
        origin = targets_origin(job.job, spec, Images(data, pack, split))
        targets = open_targets(lab.home.targets(job.job), origin, split.train)
        assert targets.lookup(0, torch.from_numpy(split.train[:5])) is not None
        for row in np.concatenate([split.val[:3], split.test[:3]]).tolist():
            with pytest.raises(DataError, match="outside of the training set"):
                targets.lookup(0, torch.tensor([row]))
