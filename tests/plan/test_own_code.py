"""Own code in a plan: nothing of it runs before its owner said so, its digest is in the ids that it affects."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from engine.errors import DataError, SpecError, StrangeCode, XpError
from engine.home.paths import Home, open_home
from engine.load import load_spec
from engine.plan import make_plan, own_code
from engine.plan.own_code import find_codes, trust_spec
from engine.spec import Spec
from engine.spec.data import MOST_IMAGES

NETS = "class Net:\n    width = 1\n"
LOSSES = "def soft(student, teacher, labels, temperature): ...\n"
SPEC = """
name: study
data: {source: digits, image_size: 32, short_side: 32}
student: {arch: ./nets.py:Net}
teacher: {arch: timm/resnet10t, train: {epochs: 1}}
distill: {loss: ./losses.py:soft}
"""


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    (tmp_path / "nets.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n{NETS}")
    (tmp_path / "losses.py").write_text(LOSSES)
    (tmp_path / "study.yaml").write_text(SPEC)
    return tmp_path


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return open_home(tmp_path / "home", create=True)


@pytest.fixture
def no_child(monkeypatch: pytest.MonkeyPatch) -> list[Mapping[str, Any]]:
    """Nothing is tried here; what would be asked is kept."""
    asked: list[Mapping[str, Any]] = []

    def answer(_: Home, questions: Sequence[Mapping[str, Any]]) -> list[list[Any]]:
        asked.extend(questions)
        return [[] for _ in questions]

    monkeypatch.setattr(own_code, "check_all", answer)
    return asked


def study(lab: Path, *overrides: str) -> Spec:
    return load_spec(lab / "study.yaml", overrides)


def ids_of(lab: Path, home: Home, *overrides: str) -> dict[str, str | None]:
    spec = study(lab, *overrides)
    trust_spec(spec, home)
    made = make_plan(spec, home)
    jobs = {job.key: job.job for job in made.jobs}
    return {role: jobs[key] for role, key in made.runs[0].jobs.items()}


def test_plan_stops_at_code_of_strangers(lab: Path, home: Home) -> None:
    with pytest.raises(XpError) as caught:
        make_plan(study(lab), home)
    said = str(caught.value)
    assert f"study.yaml:4:17: student.arch: Net of module nets, {lab}/nets.py" in said
    assert f"distill.loss: soft of module losses, {lab}/losses.py" in said
    assert "fix: " in said
    assert "--trust" in caught.value.fix
    assert not home.own_code.exists()


@pytest.mark.usefixtures("no_child")
def test_planning_imports_no_code(lab: Path, home: Home) -> None:
    ids_of(lab, home)
    assert not (lab / "ran").exists()
    assert "nets" not in sys.modules


def test_changed_code_asks_again(lab: Path, home: Home, no_child: list[Mapping[str, Any]]) -> None:
    ids_of(lab, home)
    make_plan(study(lab), home)
    (lab / "losses.py").write_text(LOSSES.replace("...", "return 1"))
    with pytest.raises(XpError) as caught:
        make_plan(study(lab), home)
    assert "losses.py" in str(caught.value)
    assert "nets.py" not in str(caught.value)
    assert {one["kind"] for one in no_child} == {"network", "loss"}


@pytest.mark.usefixtures("no_child")
def test_code_changes_the_jobs_that_it_affects(lab: Path, home: Home) -> None:
    before = ids_of(lab, home)
    (lab / "losses.py").write_text(LOSSES.replace("...", "return 1"))
    by_loss = changed(before, ids_of(lab, home))
    (lab / "losses.py").write_text(LOSSES)
    (lab / "nets.py").write_text(NETS)
    by_network = changed(before, ids_of(lab, home))
    assert by_loss == {"student", "explain"}
    assert by_network == {"student", "measure", "explain"}


def changed(before: Mapping[str, str | None], after: Mapping[str, str | None]) -> set[str]:
    assert before.keys() == after.keys()
    return {role for role in before if before[role] != after[role]}


@pytest.mark.usefixtures("no_child")
def test_comments_and_folders_keep_ids(lab: Path, home: Home, tmp_path_factory: pytest.TempPathFactory) -> None:
    before = ids_of(lab, home)
    other = tmp_path_factory.mktemp("other")
    for path in (*lab.glob("*.py"), lab / "study.yaml"):
        (other / path.name).write_text(path.read_text() + "# a remark\n")
    assert ids_of(other, home) == before


@pytest.mark.usefixtures("no_child")
def test_own_source_gives_a_folder(lab: Path, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    (lab / "images.py").write_text("def draw(root): ...\n")
    drawn: list[str] = []

    def draw(_: str, asked: Mapping[str, Any], seconds: float | None, *, speaks: bool) -> dict[str, int]:
        assert seconds is None
        assert speaks
        assert asked["most"] == MOST_IMAGES
        drawn.append(asked["settled"])
        for name in ("a", "b"):
            (Path(asked["folder"]) / name).mkdir()
            for number in range(10):
                (Path(asked["folder"]) / name / f"{number}.png").write_bytes(f"{name}{number}".encode())
        return {"count": 20}

    monkeypatch.setattr(own_code, "run_child", draw)
    over = ("data.source=./images.py:draw", "student.arch=tiny_vit_5m", "teacher=null", "distill.loss=ce")
    first = ids_of(lab, home, *over)
    assert ids_of(lab, home, *over) == first
    assert len(drawn) == 1
    assert changed(first, ids_of(lab, home, *over, "data.options={sides: 3}")) >= {"pack", "student"}
    assert len(drawn) == 2


@pytest.mark.usefixtures("no_child")
def test_a_source_that_goes_on_is_stopped_and_leaves_nothing(lab: Path, home: Home) -> None:
    (lab / "images.py").write_text(
        "def draw(root):\n    import numpy as np\n    while True:\n        yield 'a', np.zeros((4, 4), np.uint8)\n"
    )
    with pytest.raises(DataError) as caught:
        ids_of(lab, home, "data.source=./images.py:draw", "student.arch=tiny_vit_5m", "teacher=null",
               "distill.loss=ce", "data.most=30")  # fmt: skip
    assert "images:draw@" in str(caught.value)
    assert "it has given 30 images" in str(caught.value)
    assert "data.most" in caught.value.fix
    assert not [path for path in (home.cache / "own_images").iterdir() if path.is_dir()]


@pytest.mark.parametrize(
    ("file", "text", "says"),
    [
        ("nets.py", "class Net(:\n", "nets.py:1: is no Python"),
        ("nets.py", NETS + NETS, "nets.py:3: defines Net twice"),
        ("losses.py", "def sotf(): ...\n", "did you mean 'sotf'?"),
    ],
)
def test_what_is_read_is_told_at_its_place(lab: Path, file: str, text: str, says: str) -> None:
    (lab / file).write_text(text)
    with pytest.raises(SpecError) as caught:
        find_codes(study(lab))
    (problem,) = caught.value.problems
    assert says in str(problem)
    assert problem.where.startswith(f"{lab}/study.yaml:")
    assert "^" in problem.excerpt


def test_wrong_options_are_told_at_their_place(lab: Path, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = {"what": "it has no option 'widht'", "fix": "did you mean 'width'?", "at": "widht", "file": "", "line": 0}
    text = SPEC.replace("./nets.py:Net}", "./nets.py:Net, options: {widht: 3}}")
    (lab / "study.yaml").write_text(text)
    monkeypatch.setattr(own_code, "check_all", lambda _, questions: [[wrong], *([] for _ in questions[1:])])
    spec = study(lab)
    trust_spec(spec, home)
    with pytest.raises(SpecError) as caught:
        make_plan(spec, home)
    (problem,) = caught.value.problems
    assert (problem.path, problem.where) == ("student.options.widht", f"{lab}/study.yaml:4:42")


def test_wrong_code_is_told_by_its_own_line(lab: Path, home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = {"what": "forward raises", "fix": "mend it", "at": "", "file": "nets.py", "line": 2}
    monkeypatch.setattr(own_code, "check_all", lambda _, questions: [[wrong], *([] for _ in questions[1:])])
    spec = study(lab)
    trust_spec(spec, home)
    with pytest.raises(SpecError, match="forward raises") as caught:
        make_plan(spec, home)
    assert f"{lab}/nets.py:2: forward raises" in str(caught.value)


def test_a_name_with_a_digest_is_no_way_around_asking(lab: Path, home: Home) -> None:
    found = find_codes(study(lab))[f"{lab}/nets.py:Net"]
    text = f"student.arch={found.settled}"
    with pytest.raises(XpError, match="may not run in this home"):
        make_plan(study(lab, text, "distill.loss=hinton"), home)


@pytest.mark.usefixtures("no_child")
def test_two_projects_with_a_module_of_one_name_are_refused(lab: Path, home: Home) -> None:
    other = lab / "other"
    other.mkdir()
    (other / "losses.py").write_text(f"import nets\n{LOSSES}")
    (other / "nets.py").write_text("")
    spec = study(lab, f"distill.loss={other}/losses.py:soft")
    trust_spec(spec, home)
    with pytest.raises(XpError, match="two projects have a module nets"):
        make_plan(spec, home)


DRAWN = "train: {epochs: 1}\nsearch: {trials: 2, space: {train.optimizer: {choice: [adamw, './opt.py:One']}}}\n"


def test_code_that_a_search_may_draw_is_asked_about_trusted_and_tried(
    lab: Path, home: Home, no_child: list[Mapping[str, Any]]
) -> None:
    (lab / "opt.py").write_text("class One: ...\n")
    (lab / "study.yaml").write_text(f"name: study\ndata: {{source: digits}}\nstudent: {{arch: tiny_vit_5m}}\n{DRAWN}")
    with pytest.raises(StrangeCode, match=r"train\.optimizer: One of module opt"):
        make_plan(study(lab), home)
    assert [code.file.name for code in trust_spec(study(lab), home)] == ["opt.py"]
    make_plan(study(lab), home)
    assert [asked["kind"] for asked in no_child] == ["optimizer"]
