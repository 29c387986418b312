"""What may be timed is found by its name; what may not, and ways that not all can go, are refused with the fix."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

import pytest
import torch
from torch import nn

from engine.errors import XpError
from engine.verify.bench.subjects import Subject, find_subjects, settle_modes
from tests.helpers.onnx_files import write_small

# From Python 3.12 on a fork beside other threads warns.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


def no_home() -> NoReturn:
    raise AssertionError("a file needs no home")


def made(name: str = "run") -> Subject:
    return Subject(name, 16, nn.Identity)


def test_a_file_says_its_own_image_size(tmp_path: Path) -> None:
    file = write_small(tmp_path / "a.onnx", image_size=24)
    one, two = find_subjects([str(file)] * 2, no_home)
    assert (one.image_size, one.build, one.modes) == (24, None, ("onnxruntime",))
    assert (one.name, two.name) == (str(file), f"{file} (2)")


def test_a_file_that_says_nothing_of_its_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(XpError, match="does not say how its network sees an image"):
        find_subjects([str(write_small(tmp_path / "a.onnx", about=False))], no_home)


@pytest.mark.parametrize(
    ("name", "what"),
    [("a.txt", "is no exported network by its name"), ("a.pte", "are not timed here"), ("b.onnx", "no such file")],
)
def test_files_that_cannot_be_timed_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, what: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for there in ("a.txt", "a.pte"):
        Path(there).write_bytes(b"x")
    with pytest.raises(XpError, match=what) as caught:
        find_subjects([name], no_home)
    assert caught.value.fix


def test_the_way_that_all_can_go_is_taken() -> None:
    file = Subject("a.onnx", 16, None, Path("a.onnx"))
    torched = Subject("a.pt2", 16, nn.Identity, Path("a.pt2"))
    assert settle_modes([made(), made()], []) == ["eager"]
    assert settle_modes([made(), file], []) == ["onnxruntime"]
    assert settle_modes([made(), torched], []) == ["eager"]
    assert settle_modes([made(), made()], ["onnxruntime", "eager"]) == ["eager", "onnxruntime"]


def test_ways_that_one_cannot_go_are_refused() -> None:
    file, torched = Subject("a.onnx", 16, None, Path("a.onnx")), Subject("a.pt2", 16, nn.Identity, Path("a.pt2"))
    with pytest.raises(XpError, match=r"a\.onnx runs in onnxruntime, not in eager") as caught:
        settle_modes([made(), file], ["eager"])
    assert "leave eager away" in caught.value.fix
    with pytest.raises(XpError, match="runs in onnxruntime, and another does not") as caught:
        settle_modes([file, torched], [])
    assert "export" in caught.value.fix
    with pytest.raises(XpError, match="'tflite' is no runtime here"):
        settle_modes([made()], ["tflite"])


def test_torch_reads_its_own_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from engine.verify.bench import subjects

    monkeypatch.setattr(subjects, "open_form", lambda path: lambda images: images + 1)
    module = subjects.FileModule(tmp_path / "a.pt2").eval()
    assert torch.equal(module(torch.zeros(1)), torch.ones(1))
