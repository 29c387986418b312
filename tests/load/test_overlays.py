"""Overlays: one file makes many specs small, and words about a teacher reach the teachers there are."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import SpecError
from engine.load import load_spec
from engine.load.overlays import read_overlays
from engine.spec import Settings, Spec
from engine.spec.cells import expand_cells

QUICKSTART = Path(__file__).parents[2] / "specs" / "quickstart.yaml"
SMALL = """
replace:
  timm/resnet50:
    arch: timm/resnet10t
    weights: none
    train: {epochs: 3, warmup_epochs: 0}
"""
BIG = """
name: big
data: {source: digits}
student: {arch: tiny_vit_5m}
teacher: {arch: timm/resnet18, train: {epochs: 2}}
arms:
  plain: {}
  dotted: {teacher.arch: timm/resnet50, teacher.weights: pretrained, teacher.head: probe, teacher.train: null}
  nested: {teacher: {arch: timm/resnet50, head: finetune, weights: pretrained}}
  helped: {teacher.assistants: [{arch: timm/resnet50}, {arch: timm/resnet34}]}
  matched: {distill.temperature: {match: entropy, reference: {arch: timm/resnet50, weights: pretrained, head: probe}}}
  student: {student: {arch: timm/resnet50}}
"""


def settings_of(spec: Spec) -> dict[str, Settings]:
    return {cell.arm: cell.settings for cell in expand_cells(spec)}


def write(folder: Path, spec: str = BIG, overlay: str = SMALL) -> tuple[Path, Path]:
    (folder / "big.yaml").write_text(spec)
    (folder / "small.yaml").write_text(overlay)
    return folder / "big.yaml", folder / "small.yaml"


def test_a_network_is_replaced_wherever_it_stands(tmp_path: Path) -> None:
    teachers = "".join(line for line in BIG.splitlines(True) if not line.startswith(("  helped", "  student")))
    spec, small = write(tmp_path, teachers, SMALL + "    head: slice\n")
    found = settings_of(load_spec(spec, (), [small]))
    assert found["plain"].teacher is not None
    assert found["plain"].teacher.arch == "timm/resnet18"
    for arm in ("dotted", "nested"):
        teacher = found[arm].teacher
        assert teacher is not None
        assert teacher.train is not None
        assert (teacher.arch, teacher.weights, teacher.head) == ("timm/resnet10t", "none", "slice")
        assert teacher.train.epochs == 3
    reference = dict(found["matched"].teachers)["distill.temperature.reference"]
    assert (reference.arch, reference.weights) == ("timm/resnet10t", "none")


def test_assistants_and_students_are_replaced_too(tmp_path: Path) -> None:
    spec, small = write(tmp_path, overlay="replace: {timm/resnet50: {arch: timm/resnet10t, drop_path: 0.1}}")
    found = settings_of(load_spec(spec, (), [small]))
    assert found["helped"].teacher is not None
    assert [helper.arch for helper in found["helped"].teacher.assistants] == ["timm/resnet10t", "timm/resnet34"]
    assert found["student"].student.arch == "timm/resnet10t"
    assert found["student"].student.drop_path == 0.1


def test_set_wins_over_what_an_overlay_replaces(tmp_path: Path) -> None:
    spec, small = write(tmp_path, overlay="replace: {timm/resnet50: {arch: timm/resnet10t}}")
    assert (
        settings_of(load_spec(spec, ["student.arch=timm/resnet26"], [small]))["student"].student.arch == "timm/resnet26"
    )


@pytest.mark.parametrize("overlay", ["replace: {timm/resnet51: {arch: timm/resnet10t}}", "replace: {timm/resnet50: 3}"])
def test_a_replacement_that_means_nothing_is_refused_with_its_line(overlay: str, tmp_path: Path) -> None:
    spec, small = write(tmp_path, overlay=overlay)
    with pytest.raises(SpecError) as caught:
        load_spec(spec, (), [small])
    assert "small.yaml:1:" in str(caught.value)
    assert "fix: " in str(caught.value)


def test_teacher_words_reach_only_arms_that_have_a_teacher() -> None:
    found = settings_of(load_spec(QUICKSTART, ["teacher.logit_scale=8"]))
    assert found["original"].teacher is None
    for arm in ("distilled", "distilled_pruned"):
        teacher = found[arm].teacher
        assert teacher is not None
        assert teacher.logit_scale == 8
        assert teacher.arch == "timm/convnextv2_atto"


def test_where_nobody_has_a_teacher_the_words_are_for_all(tmp_path: Path) -> None:
    spec, _ = write(
        tmp_path, "name: one\ndata: {source: digits}\nstudent: {arch: tiny_vit_5m}\narms: {a: {}, b: {train.lr: 1}}"
    )
    found = settings_of(load_spec(spec, ["teacher={arch: timm/resnet18, train: {epochs: 2}}"]))
    assert all(settings.teacher is not None for settings in found.values())


def test_another_network_drops_the_options_of_the_one_before(tmp_path: Path) -> None:
    teacher = settings_of(load_spec(QUICKSTART, ["teacher.arch=timm/resnet18"]))["distilled"].teacher
    assert teacher is not None
    assert (teacher.arch, teacher.options) == ("timm/resnet18", {})
    own = settings_of(load_spec(QUICKSTART, ["teacher={arch: timm/resnet18, options: {base_width: 32}}"]))["distilled"]
    assert own.teacher is not None
    assert own.teacher.options == {"base_width": 32}
    same = settings_of(load_spec(QUICKSTART, ["teacher.arch=timm/convnextv2_atto"]))["distilled"].teacher
    assert same is not None
    assert same.options["depths"] == [1, 1, 3, 1]


# What --set may say ---------------------------------------------------------------------------------------------------


def spec_of(folder: Path, text: str, *overrides: str, overlay: str | None = None) -> Spec:
    head = "name: a\ndata: {source: digits}\nstudent: {arch: tiny_vit_5m}\n"
    (folder / "spec.yaml").write_text(head + text)
    (folder / "over.yaml").write_text(overlay or "")
    return load_spec(folder / "spec.yaml", overrides, [folder / "over.yaml"] if overlay else [])


REFUSED: dict[str, tuple[str, str, str]] = {
    "train.epoch=3": ("train.epoch", "unknown key 'epoch'", "did you mean 'train.epochs'?"),
    "bogus=1": ("bogus", "unknown key 'bogus'", "choose one of"),
    "titel=1": ("titel", "unknown key 'titel'", "did you mean 'title'?"),
    "train.lr.more=1": ("train.lr.more", "unknown key 'more'", "nothing can stand here"),
    "arms.b.studnt.arch=1": ("arms.b.studnt.arch", "unknown key 'studnt'", "did you mean 'student.arch'?"),
    "epochs": ("", "this is no path=value", "--set train.epochs=2"),
    "=3": ("", "this is no path=value", "--set train.epochs=2"),
    "arms=null": ("arms", "null is not a mapping", "--set arms.b.train.lr=0.1"),
    "arms=[1]": ("arms", "[1] is not a mapping", "--set arms.b.train.lr=0.1"),
    "claims.0.metric=x": ("claims.0.metric", "this sets a part of claims, a list", "change it in the file, or write"),
    "seeds.0=1": ("seeds.0", "this sets a part of seeds, a list", "--set 'seeds=[0, 1]'"),
    "train.lr={": ("train.lr", "the value '{' is not YAML", "quote the value"),
    "train.lr=!foo 1": ("train.lr", "the value '!foo 1': the tag '!foo' means nothing", "remove the tag '!foo'"),
    "matrix=3": ("matrix", "3 is not a mapping", "--set matrix.train.lr=[0.1, 0.2]"),
}


@pytest.mark.parametrize("text", REFUSED)
def test_a_wrong_set_is_named_whole_with_its_repair(text: str) -> None:
    with pytest.raises(SpecError) as caught:
        load_spec(QUICKSTART, [text])
    (problem,) = caught.value.problems
    path, what, fix = REFUSED[text]
    assert (problem.where, problem.path) == (f"--set {text}", path)
    assert problem.what.startswith(what)
    assert fix in problem.fix


def test_set_takes_values_spaces_and_signs_as_they_are(tmp_path: Path) -> None:
    spec = spec_of(tmp_path, "", " train.lr =2e-3", "title=a=b", "seeds=[4, 5]", "prune=null")
    assert (spec.train.lr, spec.title, spec.seeds, spec.prune) == (2e-3, "a=b", [4, 5], None)


def test_the_last_set_wins_over_the_others_and_over_overlays(tmp_path: Path) -> None:
    overlay = "train.lr: 4.0\ntrain: {batch_size: 8}\n"
    spec = spec_of(tmp_path, "train: {lr: 1.0, epochs: 3}\n", overlay=overlay)
    assert (spec.train.lr, spec.train.batch_size, spec.train.epochs) == (4.0, 8, 3)
    last = spec_of(tmp_path, "", "train.lr=2.0", "train.lr=3.0", overlay=overlay)
    assert (last.train.lr, last.train.batch_size) == (3.0, 8)


def test_later_overlays_win(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text("train: {lr: 1.0, batch_size: 8}\n")
    (tmp_path / "two.yaml").write_text("train: {lr: 2.0}\n")
    (tmp_path / "spec.yaml").write_text("name: a\ndata: {source: digits}\nstudent: {arch: tiny_vit_5m}\n")
    train = load_spec(tmp_path / "spec.yaml", (), [tmp_path / "one.yaml", tmp_path / "two.yaml"]).train
    assert (train.lr, train.batch_size) == (2.0, 8)


def test_axes_are_added_replaced_and_set_whole(tmp_path: Path) -> None:
    matrix = "matrix: {train.lr: [1.0, 2.0]}\n"
    by_set = spec_of(tmp_path, matrix, "matrix.train.batch_size=[8, 16]")
    assert by_set.matrix == {"train.lr": [1.0, 2.0], "train.batch_size": [8, 16]}
    assert spec_of(tmp_path, matrix, "matrix.train.lr=[3.0]").matrix == {"train.lr": [3.0]}
    whole = spec_of(tmp_path, matrix, overlay="matrix: {data.split: [80/10/10]}\n")
    assert whole.matrix == {"train.lr": [1.0, 2.0], "data.split": ["80/10/10"]}
    assert spec_of(tmp_path, "", "matrix={train.lr: [3.0]}").matrix == {"train.lr": [3.0]}


def test_set_reaches_every_arm_that_says_the_same_word(tmp_path: Path) -> None:
    arms = "arms: {plain: {}, dotted: {train.lr: 2.0}, nested: {train: {lr: 3.0, batch_size: 8}}}\n"
    found = settings_of(spec_of(tmp_path, arms, "train.lr=9.0"))
    assert {arm: settings.train.lr for arm, settings in found.items()} == dict.fromkeys(found, 9.0)
    assert found["nested"].train.batch_size == 8


def test_set_of_one_arm_changes_no_other(tmp_path: Path) -> None:
    arms = "arms: {a: {}, b: {train.lr: 2.0}, c: {extends: b, data.split: 80/10/10}}\n"
    found = settings_of(spec_of(tmp_path, arms, "arms.b.train.lr=4.0", "arms.b.train.batch_size=8"))
    assert [(found[arm].train.lr, found[arm].train.batch_size) for arm in "abc"] == [(5e-4, 256), (4.0, 8), (4.0, 8)]


def test_set_makes_an_arm(tmp_path: Path) -> None:
    spec = spec_of(tmp_path, "arms: {a: {}, b: {train.lr: 2.0}}\n", "arms.d={train.lr: 4.0}")
    assert settings_of(spec)["d"].train.lr == 4.0
    assert spec.arm_names == ["a", "b", "d"]


def test_a_word_of_one_arm_is_not_overwritten_by_another_word(tmp_path: Path) -> None:
    arms = "arms: {a: {}, b: {train: {lr: 2.0}}}\n"
    found = settings_of(spec_of(tmp_path, arms, "train.batch_size=8"))
    assert [(found[arm].train.lr, found[arm].train.batch_size) for arm in "ab"] == [(5e-4, 8), (2.0, 8)]


def test_what_an_arm_switched_off_stays_off_and_null_is_for_all(tmp_path: Path) -> None:
    text = "prune: {ratio: 0.1}\narms: {a: {prune: null}, b: {prune: {ratio: 0.2}}}\n"
    found = settings_of(spec_of(tmp_path, text, "prune.ratio=0.5"))
    assert found["a"].prune is None
    assert found["b"].prune is not None
    assert found["b"].prune.ratio == 0.5
    gone = settings_of(spec_of(tmp_path, text, "prune=null"))
    assert [settings.prune for settings in gone.values()] == [None, None]


def test_another_kind_in_an_overlay_replaces_the_arms_words(tmp_path: Path) -> None:
    arms = "arms: {a: {student.attention: {kind: longformer, globals: 4}}, b: {train.lr: 1}}\n"
    found = settings_of(spec_of(tmp_path, arms, "student.attention={kind: window}"))
    assert {settings.student.attention.kind for settings in found.values()} == {"window"}


def test_a_teacher_of_the_base_is_changed_there(tmp_path: Path) -> None:
    """An arm without words about the teacher has the base's, and follows it."""
    teacher = "teacher: {arch: timm/resnet18, train: {epochs: 2}}\n"
    text = f"{teacher}arms: {{a: {{}}, b: {{teacher: null}}, c: {{teacher.seed: 3}}}}\n"
    found = settings_of(spec_of(tmp_path, text, "teacher.logit_scale=4"))
    scales = {arm: settings.teacher.logit_scale if settings.teacher else None for arm, settings in found.items()}
    assert scales == {"a": 4, "b": None, "c": 4}


def test_an_unknown_network_to_replace_is_offered_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        spec_of(tmp_path, "", overlay="title: x\nreplace:\n  timm/resnet51: {arch: timm/resnet10t}\n")
    (problem,) = caught.value.problems
    assert problem.where == f"{tmp_path}/over.yaml:3:3"
    assert (problem.path, problem.what) == ("replace.timm/resnet51", "unknown network 'timm/resnet51'")
    assert "timm/resnet50" in problem.fix


@pytest.mark.parametrize(
    ("text", "path", "where"), [("{timm/resnet50: 3}", "replace.timm/resnet50", "1:11"), ("3", "replace", "1:1")]
)
def test_words_that_replace_nothing_are_refused(text: str, path: str, where: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        spec_of(tmp_path, "", overlay=f"replace: {text}\n")
    (problem,) = caught.value.problems
    assert (problem.path, problem.what) == (path, "no words that replace a network")
    assert problem.where == f"{tmp_path}/over.yaml:{where}"


@pytest.mark.parametrize("matrix", ["3", "[1]"])
def test_an_axis_over_what_is_no_matrix_takes_its_place(matrix: str, tmp_path: Path) -> None:
    assert spec_of(tmp_path, f"matrix: {matrix}\n", "matrix.train.lr=[3.0]").matrix == {"train.lr": [3.0]}


def test_what_lies_over_a_spec_extends_nothing(tmp_path: Path) -> None:
    over = tmp_path / "over.yaml"
    over.write_text("seeds: [0]\nextends: other.yaml\n")
    with pytest.raises(SpecError, match="only a spec extends another file") as caught:
        read_overlays((), [over])
    assert caught.value.problems[0].where.endswith("over.yaml:2:1")
    with pytest.raises(SpecError, match="--set extends=/etc/passwd"):
        read_overlays(("extends=/etc/passwd",), [])


def test_an_unknown_key_of_an_overlay_is_shown_at_the_key(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        spec_of(tmp_path, "", overlay="title: x\ntrian: {lr: 1}\n")
    assert [problem.where for problem in caught.value.problems] == [f"{tmp_path}/over.yaml:2:1"]


@pytest.mark.parametrize("text", ["", "# nothing\n", "- 1\n"])
def test_an_overlay_of_nothing_is_told_as_an_overlay(text: str, tmp_path: Path) -> None:
    (tmp_path / "over.yaml").write_text(text)
    with pytest.raises(SpecError, match="an overlay is one YAML mapping\nfix: write what is to lie over the spec"):
        load_spec(QUICKSTART, overlays=[tmp_path / "over.yaml"])


SEARCHED = """
search:
  space:
    train.lr: {log: [1.0e-4, 1.0e-2]}
    student.attention.kind: {choice: [window, longformer]}
    student.attention.radius: {int: [1, 3], when: {student.attention.kind: longformer}}
"""


@pytest.mark.parametrize(
    ("overlay", "overrides"),
    [
        ("search: {trials: 5, space: {train.lr: {float: [0.1, 0.2]}, student.attention.radius: {int: [1, 2]}}}", []),
        ("search.trials: 5\nsearch.space.train.lr.float: [0.1, 0.2]\n"
         "search.space.student.attention.radius.int: [1, 2]", []),
        ("{}", ["search.trials=5", "search.space.train.lr.float=[0.1, 0.2]",
                "search.space.student.attention.radius.int=[1, 2]"]),
    ],
    ids=["nested", "dotted", "set"],
)  # fmt: skip
def test_axes_of_a_search_are_overlaid_by_their_paths(overlay: str, overrides: list[str], tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(BIG.partition("arms:")[0] + SEARCHED)
    (tmp_path / "over.yaml").write_text(overlay)
    search = load_spec(tmp_path / "spec.yaml", overrides, [tmp_path / "over.yaml"]).search
    assert search is not None
    assert search.trials == 5
    assert (search.space["train.lr"].kind, search.space["train.lr"].values) == ("float", [0.1, 0.2])
    radius = search.space["student.attention.radius"]
    assert radius.values == [1, 2]
    assert radius.when == {"student.attention.kind": "longformer"}, "the same kind of range keeps its condition"


def test_a_wrong_axis_of_an_overlay_is_shown_where_it_is_written(tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(BIG.partition("arms:")[0] + SEARCHED)
    (tmp_path / "over.yaml").write_text("search:\n  space:\n    train.lr: {log: [0, 1]}\n")
    with pytest.raises(SpecError) as refused:
        load_spec(tmp_path / "spec.yaml", (), [tmp_path / "over.yaml"])
    assert "over.yaml:3:" in str(refused.value)
