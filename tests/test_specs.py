"""The specs that are shipped: each is valid, plans as it stands, and runs whole when the overlay makes it small."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from engine.analysis.agreement import find_twins
from engine.cli.starter_specs import lay_out
from engine.core.measure import count_params
from engine.core.network.build import build_network
from engine.home.paths import open_home
from engine.inputs.missing import absent_inputs
from engine.load import load_spec
from engine.plan import Plan, child, make_plan
from engine.plan.features import MODULE as LAYERS
from engine.spec import Spec
from engine.spec.cells import expand_cells
from engine.spec.dotted import flatten_settings
from engine.spec.search import BEST
from tests.helpers.answering import answer_here

ROOT = Path(__file__).parent.parent
SPECS = sorted(
    path for path in (ROOT / "specs").glob("*.yaml") if not path.name.startswith("_") and path.stem != "paper"
)
PAPERS = [path for path in SPECS if path.stem != "quickstart"]
SMALL = ROOT / "specs" / "_small.yaml"
TILE = 40


def named(path: Path) -> str:
    return path.stem


def plan_small(path: Path, home: Path, *overrides: str) -> Plan:
    return make_plan(load_spec(path, overrides, [SMALL]), open_home(home, create=True))


@pytest.fixture(autouse=True)
def _told_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a child of a plan would say of layers, without the child."""
    other = child.run_child

    def answer(module: str, question: dict[str, Any], **words: Any) -> Any:
        return answer_here(module, question) if module == LAYERS else other(module, question, **words)

    monkeypatch.setattr(child, "run_child", answer)


# As they stand --------------------------------------------------------------------------------------------------------


def test_the_papers_and_its_ideas_are_there() -> None:
    wanted = {"quickstart", "phase1_tiny_window", "phase1_big_window", "phase2_convnextv2", "phase2_pruned"}
    wanted |= {"teacher_assistant", "temperature", "confident_teacher", "sparse_pattern", "efficient_peers"}
    wanted |= {"feature_distillation", "fixed_temperature", "fixed_pattern"}
    assert wanted <= set(map(named, SPECS))


@pytest.mark.parametrize("path", SPECS, ids=named)
def test_it_is_valid_bears_its_files_name_and_says_what_it_is(path: Path) -> None:
    spec = load_spec(path)
    assert spec.name == path.stem
    assert spec.title
    has_fronts = spec.search is not None and len(spec.search.metrics) > 1
    assert has_fronts or spec.claims
    assert has_fronts or spec.baseline in spec.arm_names
    lines = path.read_text().splitlines()
    assert lines[0].startswith("# yaml-language-server")
    assert lines[1].startswith("# ")


@pytest.mark.parametrize("path", PAPERS, ids=named)
def test_it_plans_without_the_images(path: Path, tmp_path: Path) -> None:
    spec = load_spec(path)
    assert any("XP_DATA" in line for line in absent_inputs(spec))
    plan = make_plan(spec, open_home(tmp_path, create=True))
    assert plan.is_provisional
    assert len(plan.runs) == len(list(expand_cells(spec))) * len(spec.seeds)
    assert all(job.reason for job in plan.jobs)


@pytest.mark.parametrize("path", SPECS, ids=named)
def test_arms_differ_in_what_they_are_about_and_in_nothing_else(path: Path) -> None:
    """One batch size and one learning rate for all arms, and the same images: or the comparison says nothing."""
    cells = list(expand_cells(load_spec(path)))
    assert len({(cell.settings.train.batch_size, cell.settings.train.lr) for cell in cells}) == 1
    assert len({cell.settings.data.model_dump_json(exclude={"split"}) for cell in cells}) == 1


def test_pruned_arms_spend_no_more_epochs_than_whole_ones() -> None:
    cells = [cell.settings for cell in expand_cells(load_spec(ROOT / "specs" / "phase2_pruned.yaml"))]
    spent = {
        settings.train.epochs + (settings.prune.recover_epochs if settings.is_pruned and settings.prune else 0)
        for settings in cells
    }
    assert spent == {10}
    assert any(settings.is_pruned for settings in cells)


def test_losses_are_compared_at_one_weight_and_temperature() -> None:
    for name, arms in (("fixed_temperature", ("t2", "lskd")), ("confident_teacher", ("hinton", "lskd"))):
        told = {cell.arm: cell.settings.distill for cell in expand_cells(load_spec(ROOT / "specs" / f"{name}.yaml"))}
        one, other = (told[arm] for arm in arms)
        assert one.loss != other.loss
        assert (one.weights, one.temperature) == (other.weights, other.temperature)


@pytest.mark.parametrize("name", ["temperature", "fixed_temperature", "confident_teacher", "teacher_assistant"])
def test_ideas_about_teachers_have_a_student_without_one(name: str) -> None:
    """Without it a report cannot tell whether a teacher was heard at all; it costs no pass of any teacher."""
    settings = {
        (cell.arm, cell.cell): cell.settings for cell in expand_cells(load_spec(ROOT / "specs" / f"{name}.yaml"))
    }
    flat = {place: flatten_settings(one.model_dump(mode="json")) for place, one in settings.items()}
    taught = {place for place, one in settings.items() if one.is_taught}
    heard = {arm for (arm, _), (other, _) in find_twins(flat) if other == "alone"}
    assert heard == {arm for arm, _ in taught if arm != "assistant"}, "which is no student of that shape"


def test_arms_that_are_searched_are_tried_equally_often_on_fresh_seeds() -> None:
    for name in ("sparse_pattern", "temperature"):
        spec = load_spec(ROOT / "specs" / f"{name}.yaml")
        assert spec.search is not None
        assert spec.search.final is not None
        assert all(map(spec.search.is_searched, spec.arm_names)), "or comparisons with the others would be refused"
        assert all("train.lr" in spec.search.space_of(arm) for arm in spec.arm_names)


@pytest.mark.parametrize("name", ["sparse_pattern", "temperature"])
def test_the_small_overlay_of_a_search_changes_what_it_draws_from(name: str) -> None:
    overlays = [SMALL.with_name("_paper_small.yaml"), SMALL.with_name(f"_{name}_small.yaml")]
    large, small = (load_spec(ROOT / "specs" / f"{name}.yaml", (), over) for over in ([], overlays))
    assert large.search is not None
    assert small.search is not None
    assert small.search.trials < large.search.trials
    assert small.search.space.keys() == large.search.space.keys()
    assert {arm: (own or {}).keys() for arm, own in small.search.arms.items()} == {
        arm: (own or {}).keys() for arm, own in large.search.arms.items()
    }


def test_every_expectation_of_the_paper_is_a_claim() -> None:
    """Its tables and its text: accuracy, training speed, memory and size at both windows, and phase 2 in its pairs."""
    kept = {
        (name, claim.metric, claim.arm, claim.against)
        for name in ("phase1_tiny_window", "phase1_big_window", "phase2_convnextv2", "phase2_pruned")
        for claim in load_spec(ROOT / "specs" / f"{name}.yaml").claims
    }
    new, old = "longformer_convnextv2", "original_clip"
    wanted = {
        *(
            (f"phase1_{size}_window", metric, "longformer", against)
            for size in ("tiny", "big")
            for metric, against in (
                ("test_top1", "original"), ("train_images_per_second", "original"), ("cuda_peak_reserved", "original"),
                ("params", "original"), ("test_top1", "mobilenet"), ("test_top1", "vit"),
            )
        ),
        ("phase1_big_window", "train_images_per_second", "mobilenet", "longformer"),
        *(
            ("phase2_convnextv2", metric, new, old)
            for metric in ("test_top1", "train_images_per_second", "cuda_peak_reserved")
        ),
        ("phase2_convnextv2", "test_top1", "original_convnextv2", "original_clip"),
        ("phase2_pruned", "test_top1", "longformer_pruned", "original_clip"),
        ("phase2_pruned", "train_images_per_second", "longformer_pruned", "original_clip"),
        ("phase2_pruned", "params", "longformer_pruned", "longformer"),
    }  # fmt: skip
    assert wanted <= kept


def test_every_peer_can_be_built_at_the_papers_size_and_small() -> None:
    small = SMALL.with_name("_paper_small.yaml")
    for overlays, size, changed in (([], 224, False), ([small], 64, True)):
        spec = load_spec(ROOT / "specs" / "efficient_peers.yaml", (), overlays)
        peers = {cell.settings.student.arch: cell.settings.student for cell in expand_cells(spec)}
        assert len(peers) == 10
        for peer in (
            peer for peer in peers.values() if peer.arch.startswith("timm/") and (peer.options or not changed)
        ):
            with torch.device("meta"):
                network = build_network(peer, 100, size)
            assert count_params(network) < 7_000_000


def test_students_that_follow_the_same_layers_share_one_cache(tmp_path: Path) -> None:
    path = ROOT / "specs" / "feature_distillation.yaml"
    plan = plan_small(path, tmp_path, "data.source=digits", "data.root=null", "seeds=[0, 1]")
    caches = {run.arm: run.jobs["targets"] for run in plan.runs if run.arm != "alone"}
    assert len({caches[arm] for arm in ("layers", "both", "vkd", "relational")}) == 1
    assert caches["ofa"] == caches["logits"], "exits hear logits"
    assert len(set(caches.values())) == 3
    assert len([note for note in plan.notes if note.startswith("features of timm/tf_efficientnet_lite0: cached")]) == 2
    assert load_spec(path, (), [SMALL.with_name("_features_small.yaml")]).seeds == [0, 1, 2]


def test_phase_2_crosses_attention_and_teacher() -> None:
    cells = expand_cells(load_spec(ROOT / "specs" / "phase2_convnextv2.yaml"))
    pairs = {
        (cell.settings.student.attention.kind, cell.settings.teacher.arch) for cell in cells if cell.settings.teacher
    }
    assert len(pairs) == 4
    assert len({kind for kind, _ in pairs}) == len({arch for _, arch in pairs}) == 2


def test_given_teachers_are_shared_by_splits_and_arms(tmp_path: Path) -> None:
    plan = make_plan(load_spec(ROOT / "specs" / "phase2_convnextv2.yaml"), open_home(tmp_path, create=True))
    assert len(plan.runs) == 24
    assert sum(job.kind == "targets" for job in plan.jobs) == 2


# Made small -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", SPECS, ids=named)
def test_made_small_it_fetches_nothing_and_keeps_its_arms_apart(path: Path, tmp_path: Path) -> None:
    plan = plan_small(path, tmp_path, "data.source=digits", "data.root=null")
    assert not plan.is_provisional
    networks = [job.canonical["settings"]["network"] for job in plan.jobs if "network" in job.canonical["settings"]]
    assert {network["weights"] for network in networks} == {"none"}
    trained = [job for job in plan.jobs if job.kind == "train"]
    # From scratch as long as with recovery: 2 and 2.
    spent = {("pruned" in job.needs, job.canonical["settings"]["train"]["epochs"]) for job in trained}
    assert spent <= {(True, 4), (False, 2), (False, 8)}
    own = {run.arm: json.dumps(dict(run.jobs), sort_keys=True) for run in plan.runs}
    assert len(set(own.values())) == len(own)


def test_init_ships_every_spec(tmp_path: Path) -> None:
    made = {path.name for path in lay_out(tmp_path)}
    assert {path.name for path in (ROOT / "specs").rglob("*.yaml")} <= made
    for path in SPECS:
        assert isinstance(load_spec(tmp_path / "specs" / path.name, (), [tmp_path / "specs" / SMALL.name]), Spec)


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree of two classes: tiles of scikit-learn's two photographs."""
    from sklearn.datasets import load_sample_images

    root = tmp_path_factory.mktemp("photographs") / "images"
    for name, picture in zip(("china", "flower"), load_sample_images().images, strict=True):
        (root / name).mkdir(parents=True)
        whole = Image.fromarray(picture)
        for left in range(0, whole.width - TILE + 1, TILE):
            for top in range(0, whole.height - TILE + 1, TILE):
                whole.crop((left, top, left + TILE, top + TILE)).save(root / name / f"{left}_{top}.png")
    return root


@pytest.fixture(scope="module")
def xp_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("small") / "home"


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("path", PAPERS, ids=named)
def test_made_small_it_runs_whole_and_is_reported(path: Path, photographs: Path, xp_home: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "XP_HOME": str(xp_home), "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}

    def xp(*words: str | Path) -> str:
        line = [sys.executable, "-m", "engine.cli", *map(str, words)]
        answer = subprocess.run(line, capture_output=True, text=True, env=environment, cwd=tmp_path, check=False)
        assert answer.returncode == 0, answer.stderr[-3000:]
        return answer.stdout

    own = SMALL.with_name(f"_{path.stem}_small.yaml")
    few: list[str | Path] = ["--overlay", own, "--set", "search.trials=2"] if own.exists() else []
    xp("submit", path, "--wait", "--overlay", SMALL, *few, "--set", f"data.root={photographs}")
    query = f"select arm, test_top1 from results where experiment = '{path.stem}' and state = 'done'"
    rows = json.loads(xp("sql", query, "--format", "json"))
    assert {row["arm"].partition(BEST)[0] for row in rows} == {*load_spec(path).arm_names}
    assert all(0.0 <= row["test_top1"] <= 1.0 for row in rows)
    report = next(Path(line) for line in xp("report", path.stem, "-o", tmp_path).split() if line.endswith(".md"))
    assert all(arm in report.read_text() for arm in load_spec(path).arm_names)
