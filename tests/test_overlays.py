"""Overlays: one file makes many specs small, and words about a teacher reach the teachers there are."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.arms import expand_cells
from engine.errors import SpecError
from engine.load import load_spec
from engine.spec import Settings, Spec

QUICKSTART = Path(__file__).parent.parent / "specs" / "quickstart.yaml"
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
