"""Loading specs: what is right arrives, what is wrong is named with its place and its fix."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.errors import SpecError
from engine.home.paths import open_home
from engine.load import load_spec
from engine.load.paper_file import is_paper
from engine.plan import make_plan
from engine.spec import LongformerAttention, Settings, Spec
from engine.spec.cells import expand_cells, matrix_points, merge_trees, nest_paths
from tests.load.writing import HEAD, problems_of, write_spec

SPECS = Path(__file__).parents[2] / "specs"
QUICKSTART = SPECS / "quickstart.yaml"
POSITION = re.compile(r"^[^:\n]+\.yaml:\d+:\d+: ", re.MULTILINE)


def named(path: Path) -> str:
    return path.name


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
    "arm of nowhere": (swap("prune: {ratio: 0.2,", "prune.rato: 0.2\n    prune: {"), "no such key", "'prune.ratio'"),
    "tab": (swap("  source:", "\tsource:"), "a tab indents", "spaces"),
    "duplicate key": (swap("  epochs: 10", "  epochs: 10\n  epochs: 13"), "given twice", "keep one"),
    "duplicate arm": (swap("  sparse:\n", "  original: {}\n  sparse:\n"), "given twice", "rename"),
    "two arms alike": (swap("  sparse:\n", "  other: {}\n  sparse:\n"), "the same as arm 'original'", "remove"),
    "no mapping": (lambda _: "- a\n- b\n", "one YAML mapping", "name:"),
    "not YAML": (swap("[16, 32, 48, 64]", "[16, 32"), "nothing closes this bracket", "write `[16, 32]`"),
    "repeated seed": (swap("[0, 1]", "[0, 0]"), "seed 0 is repeated", "once"),
    "no such baseline": (swap("baseline: original", "baseline: orginal"), "no arm", "'original'"),
    "heads that do not divide": (swap("heads: [1, 2, 3, 4]", "heads: [1, 3, 3, 4]"), "do not divide", "heads there"),
    "choice in an arm": (swap("loss: hinton", "loss: hintn"), "no choice", "'hinton'"),
    "attention of no kind": (swap("kind: longformer", "kind: longfrmer"), "no choice", "'longformer'"),
    "matrix without list": (lambda text: text + "\nmatrix: {train.lr: 0.1}\n", "no list", "[0.1]"),
    "later machinery": (swap("gpus: 0", "gpus: 0, ranks: 64"), "cannot do this yet", "two images at least"),
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
    "file", [path for path in sorted(SPECS.glob("*.yaml")) if path.name[0] != "_" and not is_paper(path)], ids=named
)
def test_shipped_specs_are_right(file: Path) -> None:
    assert load_spec(file).name == file.stem


@pytest.mark.parametrize(
    "file", [path for path in sorted(SPECS.glob("*.yaml")) if path.name[0] != "_" and not is_paper(path)], ids=named
)
def test_small_overlay_fits_every_shipped_spec(file: Path) -> None:
    spec = load_spec(file, overlays=[SPECS / "_small.yaml"])
    for cell in expand_cells(spec):
        assert (cell.settings.train.epochs, cell.settings.data.image_size) == (2, 64)


# Where a mistake stands -----------------------------------------------------------------------------------------------

PLACES: dict[str, tuple[str, str, str, str]] = {
    "in the base": ("train: {lr: fast}\narms: {b: {}, c: {}}\n", "4:13", "train.lr", "'fast' is not a number"),
    "in a nested arm": ("arms:\n  b: {train: {lr: fast}}\n", "5:19", "train.lr", "'fast' is not a number"),
    "in a dotted arm": ("arms:\n  b:\n    train.lr: fast\n", "6:15", "train.lr", "'fast' is not a number"),
    "in an arm that is extended": (
        "arms:\n  b: {train.lr: fast}\n  c: {extends: b, seeds: 1}\n",
        "6:19",
        "arms.c.seeds",
        "an arm cannot change 'seeds': no such key",
    ),
    "in the matrix": ("matrix:\n  train.lr: [0.1, fast]\n", "5:13", "train.lr", "'fast' is not a number"),
    "at an unknown key": ("train:\n  epoch: 3\n", "5:3", "train.epoch", "unknown key 'epoch'"),
    "at an unknown key of an arm": (
        "arms:\n  b:\n    train: {epoch: 3}\n",
        "6:13",
        "arms.b.train.epoch",
        "an arm cannot change 'train.epoch': no such key",
    ),
    "at a shape": (
        "arms: {b: {student.heads: [2, 3, 5, 10]}}\n",
        "4:27",
        "student.heads",
        "stage 1: 128 channels do not divide into 3 heads (arm b)",
    ),
    "at a word that is not built": (
        "train: {compile: max}\nresources: {gpus: 2}\n",
        "4:18",
        "train.compile",
        "xp cannot do this yet",
    ),
    "at an option that timm does not take": (
        "teacher:\n  arch: timm/convnext_atto\n  train: {epochs: 1}\n  options: {deepths: [1]}\n",
        "7:13",
        "teacher.options.deepths",
        "timm/convnext_atto takes no option 'deepths'",
    ),
    "at the name of an arm": (
        "arms: {b: {}, 'my c': {train.lr: 1}}\n",
        "4:15",
        "arms.my c",
        "'my c' is no name for an arm",
    ),
    "at an axis without values": ("matrix: {train.lr: []}\n", "4:20", "matrix.train.lr", "train.lr has no values"),
    "at an axis that is no list": ("matrix: {train.lr: 1}\n", "4:10", "matrix.train.lr", "its values are no list"),
    "at an arm that is a word": ("arms: {b: c}\n", "4:11", "arms.b", "an arm is a mapping of what it changes"),
    "at an arm that extends nobody": ("arms: {b: {extends: d}}\n", "4:21", "arms.b.extends", "no arm 'd'"),
    "at an axis of no word": ("matrix: {train.lrr: [1]}\n", "4:10", "matrix.train.lrr", "unknown key 'lrr'"),
    "at an axis that repeats": ("matrix: {train.lr: [1, 1.0]}\n", "4:10", "matrix.train.lr", "a value is repeated"),
    "at an arm like another": (
        "arms:\n  b: {train.lr: 1}\n  c: {train: {lr: 1.0}}\n",
        "6:3",
        "arms.c",
        "arm 'c' is the same as arm 'b'",
    ),
    "where a key is missing": (
        "arms: {b: {student.attention: {radius: 1}}}\n",
        "4:12",
        "student.attention",
        "`kind` is missing",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", PLACES)
def test_a_mistake_is_told_once_at_its_line_and_column(case: str, tmp_path: Path) -> None:
    text, where, path, what = PLACES[case]
    told = problems_of(tmp_path, text)
    assert [(place, name, said) for place, name, said, _ in told] == [(where, path, what)]


@pytest.mark.parametrize(
    ("text", "where", "path", "what", "fix"),
    [
        ("arms: {b: 3}\n", "4:11", "arms.b", "an arm is a mapping of what it changes", "`prune.ratio: 0.2`"),
        (
            "matrix: {train.lr: 1}\n",
            "4:10",
            "matrix.train.lr",
            "its values are no list",
            "write `[1]`: a list, in brackets",
        ),
    ],
)
def test_what_is_no_arm_and_no_axis_is_told_with_an_example(
    text: str, where: str, path: str, what: str, fix: str, tmp_path: Path
) -> None:
    told = problems_of(tmp_path, text)
    assert any((place, name, said) == (where, path, what) and fix in mend for place, name, said, mend in told)


def test_the_matrix_wins_over_set_and_over_the_arm(tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(f"{HEAD}arms: {{b: {{train.lr: 2.0}}}}\nmatrix: {{train.lr: [3.0, 4.0]}}\n")
    spec = load_spec(tmp_path / "spec.yaml", ["train.lr=5.0"])
    assert [cell.settings.train.lr for cell in expand_cells(spec)] == [3.0, 4.0]


# Cells are made once --------------------------------------------------------------------------------------------------


def counted_validations(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that grows by the name of the model whenever a whole one is validated."""
    seen: list[str] = []
    real = Settings.model_validate.__func__  # type: ignore[attr-defined]  # a class method is a function of its class

    def counting(cls: type[Settings], tree: object) -> object:
        seen.append(cls.__name__)
        return real(cls, tree)

    monkeypatch.setattr(Settings, "model_validate", classmethod(counting))
    return seen


def test_a_cell_is_validated_once_from_file_to_plan(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen = counted_validations(monkeypatch)
    spec = load_spec(SPECS / "phase2_pruned.yaml")
    cells = list(expand_cells(spec))
    make_plan(spec, open_home(tmp_path, create=True))
    assert len(cells) == 24
    assert sorted(seen) == ["Settings"] * 24 + ["Spec"]


@pytest.mark.parametrize("words", [(), ("matrix={train.lr: [0.1, 0.2], train.batch_size: [8, 16]}",)])
@pytest.mark.parametrize("name", ["quickstart", "teacher_assistant", "fixed_temperature"])
def test_a_loaded_spec_has_the_cells_that_it_would_make(name: str, words: tuple[str, ...]) -> None:
    """The fast way, which takes validated sections as they are, against the plain one: each tree validated whole."""
    spec = load_spec(SPECS / f"{name}.yaml", words, [SPECS / "_small.yaml"])
    base = spec.model_dump(exclude_unset=True, include=set(Settings.model_fields))
    points = [nest_paths(point) for point in matrix_points(spec.matrix)]
    trees = [merge_trees(merge_trees(base, spec.arms[arm]), point) for arm in spec.arm_names for point in points]
    assert [cell.settings for cell in expand_cells(spec)] == [Settings.model_validate(tree) for tree in trees]


def test_what_a_loaded_spec_carries_is_no_part_of_it(tmp_path: Path) -> None:
    spec = load_spec(write_spec(tmp_path, "arms: {b: {}, c: {train.lr: 1.0}}\n"))
    again = Spec.model_validate(spec.model_dump(exclude_unset=True))
    assert spec == again
    assert len(spec.kept_cells) == 2
    assert again.kept_cells == ()


def test_tagged_and_huge_yaml_is_refused_in_a_base_too(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("title: !!python/object:os.system x\n")
    (tmp_path / "spec.yaml").write_text(f"extends: base.yaml\n{HEAD}")
    with pytest.raises(SpecError, match=r"base\.yaml:1:8: the tag '!!python/object:os\.system' means nothing"):
        load_spec(tmp_path / "spec.yaml")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("train.lr=.nan", "NaN is no setting"),
        ("train.lr=1e999", "infinity is no setting"),
        ("train.epochs=.inf", "infinity is no setting"),
        ("seeds=[99999999999999999999999999]", "a whole number of 26 digits is above 9,223,372,036,854,775,807"),
        ("train.epochs=100000000000000000000000000", "a whole number of 27 digits is above 1,000,000"),
        ("student.dims=[1000000000, 8, 8, 8]", "1000000000 is above 65,536"),
        ("matrix.train.lr=[.nan]", "a value is .nan or .inf"),
        ("matrix.train.lr=3", "its values are no list"),
        ("matrix.train.lr=[1, 1.0]", "a value is repeated"),
    ],
)
def test_a_set_value_that_cannot_be_is_refused(text: str, what: str, tmp_path: Path) -> None:
    assert what in [said for _, _, said, _ in problems_of(tmp_path, "", text)]
