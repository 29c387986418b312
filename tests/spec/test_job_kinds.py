"""The table of job kinds is whole: each entry's places are there, and a place that is missing is named."""

from __future__ import annotations

import ast
import re
from dataclasses import replace
from pathlib import Path

import pytest

from engine.errors import XpError
from engine.home.paths import open_home
from engine.load import load_spec
from engine.plan import PLANNERS, make_plan
from engine.spec import job_settings
from engine.spec.job_kinds import KINDS, final_network, kind_in_id, kind_of, load_named, shared_roles
from engine.spec.job_settings import JobSettings, NetworkSettings

ENGINE = Path(job_settings.__file__).parents[1]
SPECS = ENGINE.parent / "specs"
WHOLE_CHAIN = (
    "teacher.assistants=[{arch: timm/resnet10t}, {arch: timm/resnet14t}]",
    "arms.int8={quantize: {}}",
    "distill.temperature={match: entropy, reference: {arch: timm/resnet10t, train: {epochs: 2}}}",
)


def models_of_jobs() -> set[type[JobSettings]]:
    found = {model for model in vars(job_settings).values() if isinstance(model, type)}
    return {model for model in found if issubclass(model, JobSettings)} - {JobSettings, NetworkSettings}


def test_every_model_of_job_settings_has_an_entry() -> None:
    entries = {kind.settings for kind in KINDS.values()}
    lost = models_of_jobs() - entries
    assert not lost, f"{lost}: give each an entry in KINDS, in engine/spec/job_kinds.py"
    assert len(entries) == len(KINDS), "two kinds share a model: kind_of cannot tell them apart"


def test_every_planner_and_runner_is_in_the_table() -> None:
    assert {name: load_named(name, "planner") for name in KINDS} == PLANNERS
    assert [load_named(name, "runner").__name__ for name in KINDS] == [f"run_{name}" for name in KINDS]


@pytest.mark.parametrize("place", ["planner", "runner"])
@pytest.mark.parametrize("dotted", ["engine.run.nowhere:do_it", "engine.run.jobs:do_it"])
def test_a_missing_place_is_named(place: str, dotted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    explain = KINDS["explain"]
    entry = replace(explain, planner=dotted) if place == "planner" else replace(explain, runner=dotted)
    monkeypatch.setitem(KINDS, "probe_kind", entry)
    with pytest.raises(XpError) as caught:
        load_named("probe_kind", place)  # type: ignore[arg-type]  # the two names, as a parameter
    module, name = dotted.split(":")
    assert caught.value.what == f"job kind 'probe_kind' has no {place}: there is no function {name} in {module}"
    assert caught.value.where == "engine/spec/job_kinds.py"
    assert f"`{place}` in the entry of 'probe_kind'" in caught.value.fix


def test_a_fault_inside_a_place_is_no_missing_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "faulty_place.py").write_text("import no_such_package\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(KINDS, "probe_kind", replace(KINDS["explain"], runner="faulty_place:run_it"))
    with pytest.raises(ModuleNotFoundError, match="no_such_package"):
        load_named("probe_kind", "runner")


def test_roles_of_a_plan_are_those_of_its_kinds(tmp_path: Path) -> None:
    plan = make_plan(load_spec(SPECS / "quickstart.yaml", WHOLE_CHAIN), open_home(tmp_path / "home", create=True))
    kinds = {job.key: job.kind for job in plan.jobs}
    seen = {(kinds[key], re.sub(r"\d+", "#", role)) for run in plan.runs for role, key in run.jobs.items()}
    whole = {(name, role) for name, kind in KINDS.items() for role in kind.roles}
    assert seen == whole - {("train", "pruned_student"), ("prune", "pruned")}, "which a control alone has"
    assert shared_roles() == {"pack", "teacher", "targets"}


def test_the_kind_of_a_job_is_read_from_its_id() -> None:
    assert kind_in_id("measure-0123456789ab") is KINDS["measure"]
    assert kind_in_id("brew-0123456789ab") is None


def test_the_final_network_is_the_pruned_one_where_there_is_one() -> None:
    assert final_network({"pack": "p", "student": "s", "measure": "m"}) == "s"
    assert final_network({"prune": "q", "student": "s", "explain": "e"}) == "q"
    assert final_network({"quantize": "i", "prune": "q", "student": "s"}) == "i"


def test_settings_tell_their_kind() -> None:
    assert [kind_of(kind.settings.model_construct()) for kind in KINDS.values()] == list(KINDS)


# Kinds are named in the table alone -----------------------------------------------------------------------------------

# Where a word that names a kind means something else. A new place has to say here what it means by it.
PART, SECTION, ROLE = "a part of a split", "a section of a spec", "what a need or a run's job is for"
WORD = "what other tools call a command, or one of ours"
PHASE, FOLDER, FACT = "a phase of a job", "a folder or command", "a fact in a journal or manifest"
STAGE = "how far a trial is"
OTHER_MEANINGS: dict[str, dict[str, str]] = {
    "analysis/compare.py": {"measure": "where a run was measured", "train": "where a run was trained"},
    "analysis/controls.py": {"quantize": SECTION},
    "analysis/fairness.py": {"train": SECTION},
    "analysis/things.py": {"prune": SECTION, "quantize": SECTION},
    "cli/group.py": {"explain": WORD, "prune": WORD, "train": WORD},
    "cli/guide.py": {"explain": "a command", "targets": FOLDER},
    "cli/targets.py": {"targets": FOLDER},
    "cli/sql_prompt.py": {"explain": "a word of SQL"},
    "collect/files.py": {"train": STAGE},
    "core/data/pack.py": {"train": PART},
    "core/distill/targets.py": {"pack": FACT, "targets": FOLDER},
    "core/train/recipe.py": {"train": PHASE},
    "inputs/forms/idx.py": {"train": PART},
    "inputs/forms/known.py": {"targets": "an array of labels", "train": PART},
    "home/paths.py": {"pack": FOLDER, "targets": FOLDER},
    "inputs/content.py": {"train": PART},
    "inputs/quotas.py": {"train": PART},
    "inputs/splits.py": {"train": PART},
    "inspect/deep.py": {"pack": FOLDER, "targets": FOLDER},
    "inspect/status.py": {"pack": PHASE, "prune": PHASE},
    "inspect/why_tried.py": {"measure": STAGE},
    "load/search_space.py": {"explain": SECTION, "measure": SECTION},
    "plan/controls.py": {"prune": ROLE},
    "plan/cost/records.py": {"targets": ROLE},
    "plan/cost/work.py": {"train": "the images that targets are of"},
    "plan/distill.py": {"pack": ROLE, "targets": ROLE, "train": PART},
    "plan/estimate.py": {"targets": ROLE},
    "plan/network_jobs.py": {"pack": ROLE, "prune": ROLE, "measure": ROLE, "explain": ROLE},
    "plan/pack.py": {"pack": ROLE},
    "plan/passes.py": {"targets": ROLE},
    "plan/quantize.py": {"pack": ROLE, "quantize": ROLE},
    "plan/rungs.py": {"train": SECTION, "targets": SECTION},
    "plan/target_mode.py": {"targets": ROLE},
    "plan/teacher.py": {"train": SECTION, "pack": ROLE},
    "plan/teacher_run.py": {"pack": ROLE},
    "report/compression_speeds.py": {"quantize": SECTION},
    "report/images.py": {"pack": FACT},
    "report/charts/data/curves.py": {"prune": ROLE},
    "report/paper/evidence.py": {"pack": FACT},
    "report/published.py": {"prune": SECTION},
    "report/teachers.py": {"train": PART},
    "run/continuing.py": {"train": SECTION, "targets": ROLE},
    "run/exporting.py": {"pack": ROLE},
    "run/inputs.py": {"pack": ROLE},
    "run/jobs.py": {"pack": FACT},
    "run/measuring.py": {"measure": PHASE},
    "run/pruning.py": {"prune": PHASE},
    "core/latency/child.py": {"prune": SECTION},
    "core/quantize/onnx_int8.py": {"quantize": SECTION},
    "core/quantize/torchao_int8.py": {"quantize": SECTION},
    "run/quantizing.py": {"pack": ROLE, "quantize": FACT},
    "run/targets.py": {"targets": ROLE, "train": PART},
    "schedule/keep/choose.py": {"pack": FOLDER, "targets": FOLDER},
    "schedule/keep/usage.py": {"targets": FOLDER},
    "serve/pages/teachers.py": {"targets": "a column: how many there are"},
    "serve/run_parts.py": {"pack": ROLE, "prune": ROLE, "quantize": ROLE, "measure": ROLE, "explain": ROLE},
    "spec/synonyms.py": dict.fromkeys(("train", "prune", "quantize", "measure", "explain"), SECTION),
    "run/teaching.py": {"targets": ROLE, "train": PART},
    "run/training.py": {"train": PHASE, "pack": ROLE},
    "spec/controls.py": {"train": SECTION, "prune": SECTION},
    "spec/experiment.py": {"targets": SECTION, "train": SECTION},
    "spec/job_settings.py": {"targets": SECTION, "train": PART},
    "inputs/origins.py": {"train": "a part of ImageNet"},
    "spec/teacher.py": {"train": SECTION},
    "verify/certificate.py": {"train": SECTION, "prune": SECTION},
    "verify/profile/child.py": {"targets": ROLE},
    "verify/profile/made_up.py": {"targets": ROLE},
    "verify/profile/profile.py": {"pack": ROLE, "targets": ROLE},
    "verify/profile/subject.py": {"prune": ROLE},
    "verify/resume.py": {"train": SECTION, "prune": SECTION, "measure": SECTION, "explain": SECTION},
    "verify/targets.py": {"pack": ROLE},
    "analysis/agreement.py": {"train": PART},
    "analysis/trainings.py": {"prune": ROLE, "quantize": ROLE},
    "inputs/ancestors.py": {"pack": ROLE, "targets": ROLE, "train": SECTION},
    "core/prune_left.py": {"prune": SECTION},
    "inputs/image_index.py": {"train": PART},
    "inputs/missing.py": {"train": PART},
    "load/cells.py": {"prune": SECTION},
    "plan/ancestry.py": {"pack": ROLE, "prune": ROLE, "quantize": ROLE, "targets": ROLE},
    "plan/prune_left.py": {"prune": SECTION},
    "plan/latency.py": {"prune": ROLE, "measure": ROLE},
    "report/sentences.py": {"train": PART},
    "report/verdicts.py": {"train": PART},
    "run/answers.py": {"train": PART},
    "run/lineage.py": {"train": PART},
    "schedule/growing.py": {"pack": ROLE},
    "search/advance.py": {"measure": STAGE, "train": STAGE},
    "search/decisions.py": {"measure": STAGE, "train": STAGE},
    "search/trials.py": {"explain": ROLE, "measure": ROLE},
}


def kind_words(file: Path) -> set[str]:
    """Return the names of kinds that stand in a file as whole strings."""
    nodes = ast.walk(ast.parse(file.read_text()))
    words = {str(node.value).removesuffix("-") for node in nodes if isinstance(node, ast.Constant)}  # or an id's prefix
    return words & KINDS.keys()


def test_kinds_are_named_in_the_table_alone() -> None:
    files = {str(path.relative_to(ENGINE)): kind_words(path) for path in ENGINE.rglob("*.py")}
    del files["spec/job_kinds.py"]
    found = {name: words for name, words in files.items() if words}
    assert found == {name: set(words) for name, words in OTHER_MEANINGS.items()}


def test_no_file_compares_a_kind_with_a_word() -> None:
    """Where `kind` meets a word, the word is a kind: what follows from it belongs into the table."""
    pattern = re.compile(rf"""\bkind\b["'\])]*\s*(==|!=|in|not in)\s*[(\[]?["']({"|".join(KINDS)})["']""")
    found = [str(path) for path in ENGINE.rglob("*.py") if pattern.search(path.read_text())]
    assert found == []
