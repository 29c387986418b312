"""Words that would do nothing: each is refused with its place and a fix, and its legal neighbour passes."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.load import load_spec
from tests.load.writing import arms_of, problems_of, write_spec

TEACHER = "{arch: tiny_vit_5m, train: {}}"


def legal(folder: Path, text: str, *overrides: str) -> None:
    load_spec(write_spec(folder, text), overrides)


def test_an_arm_distils_only_from_a_teacher(tmp_path: Path) -> None:
    arms = "arms:\n  ce: {}\n  kd:\n    distill.loss: hinton\n  dkd: {distill: {loss: dkd}}\n"
    told = problems_of(tmp_path, arms)
    assert [one[:2] for one in told] == [("7:5", "arms.kd.distill.loss"), ("8:9", "arms.dkd.distill")]
    assert told[0][2].startswith("there is no teacher to distil from")
    assert told[0][3] == "give it a teacher: section, or remove distill"
    legal(tmp_path, f"teacher: {TEACHER}\n{arms}".replace("loss: hinton", "loss: dist"))


def test_a_base_distils_for_the_arms_that_are_taught(tmp_path: Path) -> None:
    base = "distill: {loss: dkd}\n"
    assert [one[:2] for one in problems_of(tmp_path, base)] == [("4:1", "distill")]
    legal(tmp_path, f"{base}arms: {{alone: {{}}, taught: {{teacher: {TEACHER}}}}}\n")


def test_what_an_arm_inherits_is_not_its_word(tmp_path: Path) -> None:
    taught = f"  taught: {{teacher: {TEACHER}, distill.loss: dkd}}\n"
    legal(tmp_path, f"arms:\n{taught}  alone: {{extends: taught, teacher: null}}\n")


def test_axis_of_distill_needs_a_teacher(tmp_path: Path) -> None:
    matrix = "matrix: {distill.temperature: [1.0, 2.0]}\n"
    assert [one[:2] for one in problems_of(tmp_path, matrix)] == [("4:10", "matrix.distill.temperature")]
    legal(tmp_path, f"teacher: {TEACHER}\n{matrix}")


def test_arms_of_equal_effect_are_one(tmp_path: Path) -> None:
    told = problems_of(tmp_path, "arms:\n  b: {}\n  c: {extends: b}\n  d: {prune.ratio: 0.0}\n")
    assert [(one[0], one[2]) for one in told] == [
        ("6:3", "arm 'c' is the same as arm 'b'"),
        ("7:3", "arm 'd' is the same as arm 'b'"),
    ]
    legal(tmp_path, "arms:\n  b: {}\n  c: {extends: b, train.lr: 0.1}\n  d: {prune.ratio: 0.1}\n")


def test_the_losss_own_weight_spelt_out_is_no_arm(tmp_path: Path) -> None:
    arms = "arms:\n  b: {}\n  c: {distill: {weight: %s, label_weight: 0.1}}\n"
    ((place, _, what, _),) = problems_of(tmp_path, f"teacher: {TEACHER}\n{arms % 0.9}")
    assert (place, what) == ("7:3", "arm 'c' is the same as arm 'b'")
    legal(tmp_path, f"teacher: {TEACHER}\n{arms % 0.8}")


def test_points_of_equal_effect_are_one(tmp_path: Path) -> None:
    """A ratio of 0 is no pruning, whatever it is of."""
    matrix = "matrix: {prune: [{ratio: 0.0}, {ratio: %s, recover_epochs: 3}]}\n"
    ((place, path, what, _),) = problems_of(tmp_path, matrix % 0.0)
    assert (place, path) == ("4:1", "matrix")
    assert what.endswith("are the same runs")
    legal(tmp_path, matrix % 0.1)


@pytest.mark.parametrize(("whose", "column"), [("student", "arch"), ("teacher", "arch")])
def test_option_must_be_one_that_timm_takes(whose: str, column: str, tmp_path: Path) -> None:
    words = "{arch: timm/convnextv2_atto, train: {}, options: {%s: [1, 1, 1, 1]}}"
    if whose == "student":
        words = words.replace(", train: {}", "")
    file = "name: a\ndata: {source: digits}\n"
    base = "" if whose == "student" else "student: {arch: tiny_vit_5m}\n"
    for option, is_legal in (("depths", True), ("deepths", False)):
        (tmp_path / "spec.yaml").write_text(f"{file}{base}{whose}: {words % option}\n")
        if is_legal:
            load_spec(tmp_path / "spec.yaml")
            continue
        with pytest.raises(Exception, match=f"{whose}.options.deepths: timm/convnextv2_atto takes no option") as caught:
            load_spec(tmp_path / "spec.yaml")
        assert "fix: did you mean 'depths'" in str(caught.value)
        assert "spec.yaml:" in str(caught.value)


@pytest.mark.parametrize("where", ["train", "teacher.train"])
def test_rate_must_fall(where: str, tmp_path: Path) -> None:
    begin = "train: " if where == "train" else "teacher: {arch: tiny_vit_5m, train: "
    end = "" if where == "train" else "}"
    ((place, path, what, fix),) = problems_of(tmp_path, f"{begin}{{lr: 0.001, min_lr: 0.01}}{end}\n")
    assert place.startswith("4:")
    assert (path, what) == (f"{where}.min_lr", "min_lr 0.01 is above lr 0.001: the rate would never fall")
    assert fix == "write `1e-05`, 0.001 at most"
    legal(tmp_path, f"{begin}{{lr: 0.001, min_lr: 0.001}}{end}\n")


def test_warm_up_must_end_in_arms_too(tmp_path: Path) -> None:
    told = problems_of(tmp_path, "arms: {b: {}, c: {train: {epochs: 3, warmup_epochs: 3}}}\n")
    assert "would never reach lr" in told[0][2]
    legal(tmp_path, "arms: {b: {}, c: {train: {epochs: 3, warmup_epochs: 2}}}\n")


CLAIM = "  - {id: %s, text: t, metric: %s, arm: b, against: c, expect: greater}\n"
PAIR = "arms: {b: {}, c: {train.lr: 0.1}}\nclaims:\n"


def test_claim_needs_a_metric_that_exists(tmp_path: Path) -> None:
    ((place, path, what, fix),) = problems_of(tmp_path, PAIR + CLAIM % ("one", "test_top5"))
    assert (place, path) == ("6:32", "claims.0.metric")
    assert what == "claim 'one' is on 'test_top5', no metric"
    assert fix.startswith("did you mean 'test_top1'")
    legal(tmp_path, PAIR + CLAIM % ("one", "test_top1"))


def test_a_margin_in_points_is_no_share(tmp_path: Path) -> None:
    line = CLAIM.replace("}", ", margin: %s}")
    ((place, path, what, fix),) = problems_of(tmp_path, PAIR + line % ("one", "test_top1", "2"))
    assert (place, path) == ("6:88", "claims.0.margin")
    assert what == "a margin of 2 is more than test_top1 can differ by: it runs from 0 to 1"
    assert fix == "write `0.02` for 2 points"
    legal(tmp_path, PAIR + line % ("one", "test_top1", "0.02"))
    legal(tmp_path, PAIR + line % ("one", "params", "2"))


def test_claims_have_ids_of_their_own(tmp_path: Path) -> None:
    both = CLAIM % ("one", "test_top1") + CLAIM % ("%s", "val_top1")
    ((place, path, what, _),) = problems_of(tmp_path, PAIR + both % "one")
    assert (place, path, what) == ("7:10", "claims.1.id", "2 claims have the id 'one'")
    legal(tmp_path, PAIR + both % "two")


def test_columns_of_the_page_are_metrics_named_once(tmp_path: Path) -> None:
    ((place, path, what, fix),) = problems_of(tmp_path, "report: {columns: [test_top1, parms]}\n")
    assert (place, path, what) == ("4:31", "report.columns.1", "'parms' is no metric")
    assert fix.startswith("did you mean 'params'")
    ((_, path, what, _),) = problems_of(tmp_path, "report: {columns: [params, params]}\n")
    assert (path, what) == ("report.columns.1", "column 'params' is named twice")
    legal(tmp_path, "report: {columns: [params, test_top1]}\n")


def test_set_makes_no_arm_by_a_slip(tmp_path: Path) -> None:
    slip = "arms.bb.train.lr=0.2"
    arms = "arms: {b1: {}, c1: {train.lr: 0.1}}\n"
    ((place, path, what, fix),) = problems_of(tmp_path, arms, slip)
    assert (place, path, what) == (f"--set {slip}", "arms.bb", "there is no arm 'bb'")
    assert "'b1'" in fix
    assert arms_of(load_spec(write_spec(tmp_path, arms), ["arms.b1.train.lr=0.2"]))["b1"].train.lr == 0.2


def test_an_overlay_may_add_an_arm(tmp_path: Path) -> None:
    """It is a file that somebody wrote, and --set may then name the arm."""
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text("arms: {d: {train.lr: 0.3}}\n")
    spec = load_spec(write_spec(tmp_path, "arms: {b: {}}\n"), ["arms.d.train.lr=0.4"], [overlay])
    assert arms_of(spec)["d"].train.lr == 0.4


@pytest.mark.parametrize(("optimizer", "most"), [("adamw", 1.0), ("sgd", 10.0)])
def test_a_rate_at_which_nothing_trains_is_told(optimizer: str, most: float, tmp_path: Path) -> None:
    text = f"train: {{optimizer: {optimizer}, lr: %s}}\nprune: {{ratio: 0.2, recover_lr: %s}}\n"
    assert load_spec(write_spec(tmp_path, text % (most, most))).doubts == ()
    first, second = load_spec(write_spec(tmp_path, text % (2 * most, 3 * most))).doubts
    said = f"train.lr: {2 * most:g} is above {most:g}, and {optimizer} trains at rates far below\nfix: check its"
    assert f"spec.yaml:4:{31 if optimizer == 'adamw' else 29}: {said}" in first
    assert f"prune.recover_lr: {3 * most:g} is above {most:g}" in second


def test_a_rate_that_was_to_fall_and_never_does_is_told(tmp_path: Path) -> None:
    text = "train: {epochs: 10, schedule: step%s}\n"
    (told,) = load_spec(write_spec(tmp_path, text % "")).doubts
    assert "train.decay_epochs: the rate first falls after 30 epochs, and there are 10: it never does" in told
    assert len(load_spec(write_spec(tmp_path, text % ", decay_epochs: [10, 20]")).doubts) == 1
    assert load_spec(write_spec(tmp_path, text % ", decay_epochs: [9, 20]")).doubts == ()
    assert load_spec(write_spec(tmp_path, "train: {epochs: 10}\n")).doubts == ()


def test_a_rate_is_told_of_an_arm_and_of_a_teacher(tmp_path: Path) -> None:
    own = "teacher: {arch: tiny_vit_5m, train: {lr: 5.0}}\narms: {b: {}, c: {train.lr: 2.0}}\n"
    told = load_spec(write_spec(tmp_path, own)).doubts
    assert [line.split(": ")[:2] for line in told] == [
        [f"{tmp_path / 'spec.yaml'}:4:42", "teacher.train.lr"],
        [f"{tmp_path / 'spec.yaml'}:5:29", "train.lr"],
    ]


def test_a_ratio_that_leaves_next_to_nothing_is_told(tmp_path: Path) -> None:
    (line,) = load_spec(write_spec(tmp_path, "prune: {ratio: 0.99}\n")).doubts
    assert "prune.ratio: 0.99 leaves 1.0% of the parameters\nfix: write the share that is taken away" in line
    assert load_spec(write_spec(tmp_path, "prune: {ratio: 0.95}\n")).doubts == ()


def test_enlarged_crops_are_told(tmp_path: Path) -> None:
    file = tmp_path / "spec.yaml"
    text = "name: a\ndata: {source: digits, image_size: %d, short_side: 256}\nstudent: {arch: tiny_vit_5m}\n"
    file.write_text(text % 512)
    (line,) = load_spec(file).doubts
    assert line.startswith(f"{file}:2:36: data.image_size: images are packed at 256 px")
    assert line.endswith("fix: set data.short_side to 512 at least")
    file.write_text(text % 256)
    assert load_spec(file).doubts == ()
