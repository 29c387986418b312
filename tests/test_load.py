"""Loading specs: what is right arrives, what is wrong is named with its place and its fix."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.arms import expand_cells
from engine.errors import SpecError
from engine.load import load_spec
from engine.spec import LongformerAttention

SPECS = Path(__file__).parent.parent / "specs"
QUICKSTART = SPECS / "quickstart.yaml"
POSITION = re.compile(r"^[^:\n]+\.yaml:\d+:\d+: ", re.MULTILINE)


def swap(old: str, new: str) -> Callable[[str], str]:
    def change(text: str) -> str:
        assert old in text
        return text.replace(old, new)

    return change


SPOILED = {
    "unknown key": (swap("title:", "titel:"), "unknown key 'titel'", "did you mean 'title'"),
    "misspelt network": (swap("arch: tiny_vit\n", "arch: tiny_vitt\n"), "unknown network", "tiny_vit"),
    "misspelt timm network": (swap("convnextv2_atto", "convnextv2_ato"), "unknown network", "convnextv2_atto"),
    "wrong type": (swap("epochs: 10", 'epochs: "12"'), "'12' is not a whole number", "12"),
    "split of 110": (swap("60/20/20", "60/30/20"), "sum to 110", "60/20/20"),
    "arm of nowhere": (swap("prune: {ratio: 0.2,", "prune.rato: 0.2\n    prune: {"), "no such key", "'ratio'"),
    "tab": (swap("  source:", "\tsource:"), "a tab indents", "spaces"),
    "duplicate key": (swap("  epochs: 10", "  epochs: 10\n  epochs: 13"), "given twice", "keep one"),
    "duplicate arm": (swap("  sparse:\n", "  original: {}\n  sparse:\n"), "given twice", "rename"),
    "two arms alike": (swap("  sparse:\n", "  other: {}\n  sparse:\n"), "the same as arm 'original'", "remove"),
    "no mapping": (lambda _: "- a\n- b\n", "one YAML mapping", "name:"),
    "not YAML": (swap("[16, 32, 48, 64]", "[16, 32"), "not YAML", "brackets"),
    "repeated seed": (swap("[0, 1]", "[0, 0]"), "seed 0 is repeated", "once"),
    "no such baseline": (swap("baseline: original", "baseline: orginal"), "no arm", "'original'"),
    "heads that do not divide": (swap("heads: [1, 2, 3, 4]", "heads: [1, 3, 3, 4]"), "do not divide", "heads there"),
    "choice in an arm": (swap("loss: hinton", "loss: hintn"), "no choice", "'hinton'"),
    "attention of no kind": (swap("kind: longformer", "kind: longfrmer"), "no choice", "'longformer'"),
    "matrix without list": (lambda text: text + "\nmatrix: {train.lr: 0.1}\n", "no list", "[0.1]"),
    "later machinery": (swap("gpus: 0", "gpus: 2"), "cannot do this yet", "gpus: 1"),
    "folder without root": (swap("source: digits", "source: folder"), "no root", "data.root"),
}


@pytest.mark.parametrize("case", SPOILED)
def test_spoiled_spec_names_place_and_fix(case: str, tmp_path: Path) -> None:
    change, what, fix = SPOILED[case]
    file = tmp_path / "spoiled.yaml"
    file.write_text(change(QUICKSTART.read_text()))
    with pytest.raises(SpecError) as caught:
        load_spec(file)
    text = str(caught.value)
    assert POSITION.search(text)
    assert what in text
    assert any(line.startswith("fix: ") and fix in line for line in text.splitlines())


def test_position_is_the_line_and_column_of_the_mistake(tmp_path: Path) -> None:
    file = tmp_path / "spec.yaml"
    file.write_text("name: a\ndata:\n  source: digits\nstudent:\n  arch: tiny_vit_5m\ntrain:\n  lr: fast\n")
    with pytest.raises(SpecError) as caught:
        load_spec(file)
    assert caught.value.problems[0].where == f"{file}:7:7"
    assert caught.value.problems[0].path == "train.lr"


def test_all_mistakes_of_a_file_come_at_once(tmp_path: Path) -> None:
    file = tmp_path / "spec.yaml"
    text = QUICKSTART.read_text().replace("epochs: 10", "epochs: 0").replace("loss: hinton", "loss: x") + "\nbogus: 1\n"
    file.write_text(text)
    with pytest.raises(SpecError) as caught:
        load_spec(file)
    assert {problem.path for problem in caught.value.problems} == {"train.epochs", "distill.loss", "bogus"}


def test_missing_file_and_missing_base_are_spec_errors(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="cannot read"):
        load_spec(tmp_path / "nothing.yaml")
    file = tmp_path / "spec.yaml"
    file.write_text("extends: nothing.yaml\nname: a\n")
    with pytest.raises(SpecError, match="there is no file") as caught:
        load_spec(file)
    assert caught.value.problems[0].where == f"{file}:1:10"


def test_cycle_of_extends_is_shown_as_a_chain(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("extends: b.yaml\n")
    (tmp_path / "b.yaml").write_text("extends: a.yaml\n")
    with pytest.raises(SpecError, match=r"a\.yaml -> b\.yaml -> a\.yaml"):
        load_spec(tmp_path / "a.yaml")


def test_later_file_wins_and_lists_replace(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(
        "data: {source: digits, image_size: 32}\nstudent: {arch: tiny_vit_5m}\nseeds: [0, 1, 2]\ntrain: {lr: 1e-3}\n"
    )
    (tmp_path / "spec.yaml").write_text("extends: base.yaml\nname: a\nseeds: [5]\ndata: {image_size: 64}\n")
    spec = load_spec(tmp_path / "spec.yaml")
    assert (spec.data.source, spec.data.image_size, spec.seeds, spec.train.lr) == ("digits", 64, [5], 1e-3)


def test_set_wins_over_arms_and_keeps_types() -> None:
    spec = load_spec(QUICKSTART, ["prune.ratio=0.3", "train.lr=1e-3", "seeds=[4]", "name=other"])
    pruned = [cell for cell in expand_cells(spec) if cell.arm == "distilled_pruned"]
    assert pruned[0].settings.prune is not None
    assert pruned[0].settings.prune.ratio == 0.3
    assert (spec.train.lr, spec.seeds, spec.name) == (1e-3, [4], "other")


def test_set_on_one_arm_reaches_the_arms_that_extend_it() -> None:
    spec = load_spec(QUICKSTART, ["arms.sparse.student.attention.radius=1"])
    radii = {
        cell.arm: cell.settings.student.attention.radius
        for cell in expand_cells(spec)
        if isinstance(cell.settings.student.attention, LongformerAttention)
    }
    assert radii == {"sparse": 1, "distilled": 1, "distilled_pruned": 1}


@pytest.mark.parametrize("text", ["train.epoch=3", "bogus=1", "epochs", "train.epochs=many", "arms.sparse.studnt=1"])
def test_wrong_set_is_a_spec_error(text: str) -> None:
    with pytest.raises(SpecError, match="fix: "):
        load_spec(QUICKSTART, [text])


def test_overlay_never_brings_back_what_an_arm_switched_off(tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(
        "name: a\ndata: {source: digits}\nstudent: {arch: tiny_vit_5m}\n"
        "teacher: {arch: timm/resnet18, train: {epochs: 2}}\narms: {taught: {}, alone: {teacher: null}}\n"
    )
    (tmp_path / "small.yaml").write_text("teacher: {train: {epochs: 3}}\n")
    cells = {
        cell.arm: cell.settings
        for cell in expand_cells(load_spec(tmp_path / "spec.yaml", (), [tmp_path / "small.yaml"]))
    }
    assert cells["alone"].teacher is None
    assert cells["taught"].teacher is not None
    assert cells["taught"].teacher.train is not None
    assert cells["taught"].teacher.train.epochs == 3


def test_other_kind_of_attention_replaces_its_fields(tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(
        "name: a\ndata: {source: digits}\nstudent: {arch: tiny_vit_5m, attention: {kind: longformer, globals: 4}}\n"
        "arms: {sparse: {}, dense: {student.attention.kind: window}, wide: {student.attention.radius: 3}}\n"
    )
    cells = {cell.arm: cell.settings.student.attention for cell in expand_cells(load_spec(tmp_path / "spec.yaml"))}
    wide = cells["wide"]
    assert isinstance(wide, LongformerAttention)
    assert (cells["dense"].kind, wide.radius, wide.globals) == ("window", 3, 4)


def test_yaml_is_read_as_version_1_2(tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(
        "name: off\ntitle: off\ndata: {source: digits}\nstudent: {arch: tiny_vit_5m}\ntrain: {lr: 1e-3}\n"
    )
    spec = load_spec(tmp_path / "spec.yaml")
    assert (spec.title, spec.train.lr) == ("off", 0.001)


@pytest.mark.parametrize(
    "file", [path for path in sorted(SPECS.glob("*.yaml")) if path.name[0] != "_"], ids=lambda f: f.name
)
def test_shipped_specs_are_right(file: Path) -> None:
    assert load_spec(file).name == file.stem


@pytest.mark.parametrize(
    "file", [path for path in sorted(SPECS.glob("*.yaml")) if path.name[0] != "_"], ids=lambda f: f.name
)
def test_small_overlay_fits_every_shipped_spec(file: Path) -> None:
    spec = load_spec(file, overlays=[SPECS / "_small.yaml"])
    for cell in expand_cells(spec):
        assert (cell.settings.train.epochs, cell.settings.data.image_size) == (2, 64)
