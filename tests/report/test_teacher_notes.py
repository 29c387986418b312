"""What must stand beside a teacher's figures."""

from __future__ import annotations

from engine.report.teacher_notes import calibration_notes, is_held_out, part_text, teacher_notes

KNOWN = {"head_top1": 0.7, "head_error": 0.072, "head_images": 337.0, "known_top1": 0.748}


def test_training_images_are_marked_and_not_held_out() -> None:
    assert part_text("test", {"top1": 1.0, "seen_share": 0.9}).endswith("its training images)")
    assert not is_held_out({"top1": 1.0, "seen_share": 0.9})
    assert part_text("test", {"top1": 1.0, "seen_share": 0.0}) == "test"
    assert is_held_out({"top1": 1.0, "seen_share": 0.0})


def test_an_accuracy_stands_beside_the_known_one() -> None:
    (note,) = teacher_notes("lite0", {"all": {"seen_share": 0.5}, "unseen": KNOWN})
    assert "of 337 unseen images among all its classes" in note
    (note,) = teacher_notes("lite0", {"all": {"seen_share": 1.0}})
    assert note == "lite0: its accuracy could not be put beside a known one."
    assert list(teacher_notes("own", {"test": {"top1": 1.0}})) == []


def test_another_size_and_enlarged_images_are_told() -> None:
    told = list(teacher_notes("lite0", {"all": {"image_size": 64.0, "own_image_size": 224.0, "enlarged_share": 0.5}}))
    assert told[0] == "lite0: it looks at 64 px, and its weights are made for 224 px."
    assert "are enlarged for it" in told[1]
    assert list(teacher_notes("lite0", {"all": {"image_size": 224.0, "own_image_size": 224.0}})) == []


def test_only_a_calibration_below_one_sharpens() -> None:
    rows = {("a", "c", "val", "calibration"): 0.5, ("b", "c", "val", "calibration"): 1.5}
    (note,) = calibration_notes(rows)
    assert note.startswith("a, c: calibration divides logits by 0.5")
