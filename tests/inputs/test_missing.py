"""What a spec asks for that is not here."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from engine.inputs.missing import absent_inputs
from engine.inputs.quotas import Counts
from engine.load import load_spec
from engine.spec import Data

QUICKSTART = Path(__file__).parents[2] / "specs" / "quickstart.yaml"


def absent(*words: str) -> list[str]:
    return absent_inputs(load_spec(QUICKSTART, words))


def test_nothing_is_absent_of_what_comes_with_the_packages() -> None:
    assert absent() == []


def test_an_absent_folder_is_one_line_with_its_repair(tmp_path: Path) -> None:
    (line,) = absent("data.source=folder", f"data.root={tmp_path}/gone", "matrix={train.lr: [0.1, 0.2]}")
    assert "gone" in line
    assert "; fix: " in line
    assert "\n" not in line


def test_every_absent_folder_of_a_matrix_is_told(tmp_path: Path) -> None:
    roots = f"matrix={{data.root: ['{tmp_path}/one', '{tmp_path}/two']}}"
    lines = absent("data.source=folder", f"data.root={tmp_path}", roots)
    assert ["one" in lines[0], "two" in lines[1], len(lines)] == [True, True, 2]


def test_a_folder_is_listed_once_for_all_cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand cells on one set of images are one look at it; other images, or other classes, are another."""
    looked: list[str | None] = []

    def count(data: Data) -> Counts:
        looked.append(data.root)
        return Counts((1000, 1000))

    monkeypatch.setattr("engine.inputs.missing.data_counts", count)
    words = (f"data.root={tmp_path}", "data.source=folder")
    assert absent(*words, "matrix={train.lr: [0.1, 0.2, 0.3], data.split: [60/20/20, 80/10/10]}") == []
    assert looked == [str(tmp_path)]
    assert absent(*words, f"matrix={{data.root: [{tmp_path}, {tmp_path}/b], train.lr: [0.1, 0.2]}}") == []
    assert looked[1:] == [str(tmp_path), f"{tmp_path}/b"]
    assert absent(*words, "matrix={data.classes: [[a], [b]]}") == []
    assert len(looked) == 5


def test_a_batch_beyond_the_training_part_is_told_without_reading_an_image(monkeypatch: pytest.MonkeyPatch) -> None:
    """60 per cent of 1,797 digits, class by class; the plan says the same line."""
    monkeypatch.setattr("engine.inputs.content.file_digest", None)
    (line,) = absent("train.batch_size=1079")
    assert line.startswith(
        "train.batch_size (arms original, sparse, distilled, distilled_pruned): "
        "1079 is more than the 1078 images of the training part\nfix: "
    )
    assert absent("train.batch_size=1078") == []
    assert len(absent("train.batch_size=1400", "matrix={data.split: [60/20/20, 80/10/10]}")) == 1, (
        "80 per cent are enough"
    )


def test_one_absent_folder_is_one_line_whatever_its_classes(tmp_path: Path) -> None:
    words = ("data.source=folder", f"data.root={tmp_path}/gone", "matrix={data.classes: [[a, b], [a, c]]}")
    assert len(absent(*words)) == 1


def test_absent_and_broken_weights_are_told_by_their_network(tmp_path: Path) -> None:
    file = tmp_path / "w.safetensors"
    words = (f"student.weights={file}", "teacher.train=null", f"teacher.weights={tmp_path}/t.safetensors")
    student, teacher = sorted(absent(*words))
    assert student == f"student.weights: there is no weights file {file}; fix: bring it here, or change weights"
    assert teacher.startswith("teacher.weights: there is no weights file")
    file.write_bytes(b"no tensors")
    broken = next(line for line in absent(*words) if line.startswith("student"))
    assert "cannot be read" in broken
    assert "; fix: " in broken
    save_file({"head.weight": torch.zeros(10, 4)}, file)
    assert absent(f"student.weights={file}") == []


def test_absent_and_wrong_boxes_are_one_line_each(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / "set" / name).mkdir(parents=True)
        for number in range(80):  # a batch of the quickstart fits into the training part
            (tmp_path / "set" / name / f"{name}{number}.jpg").write_bytes(f"{name}{number}".encode())
    table = tmp_path / "boxes.csv"
    words = ("data.source=folder", f"data.root={tmp_path}/set", f"data.boxes={table}")
    (line,) = absent(*words)
    assert line.startswith(f"data.boxes: there is no {table}; fix: ")
    table.write_text("image,xmin,ymin,xmax,ymax\na1,5,2,3,4\n")
    assert absent(*words) == [f"{table}:2: xmax 3 is not above xmin 5; fix: correct it, or remove it"]
    table.write_text("image,xmin,ymin,xmax,ymax\na1,1,2,3,4\n")
    assert absent(*words) == []
    (line,) = absent(*words, f"data.root={tmp_path}/gone")  # of which images they are is asked when those are there
    assert "gone" in line
