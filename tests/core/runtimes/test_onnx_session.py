"""A file is opened and called; a damaged one is told; the profile names the operators that ran."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.core.runtimes.onnx_session import PROVIDER, OnnxSession, onnx_operators, sums_run_over
from engine.errors import DataError
from tests.helpers.onnx_files import CLASSES, write_small


@pytest.mark.parametrize("threads", [1, 2])
def test_a_file_answers_for_any_batch(tmp_path: Path, threads: int) -> None:
    session = OnnxSession(write_small(tmp_path / "a.onnx"), threads)
    images = np.random.default_rng(1).standard_normal((5, 3, 16, 16), dtype=np.float32)
    whole = session(images)
    assert whole.shape == (5, CLASSES)
    np.testing.assert_allclose(session(images[2:3]), whole[2:3], atol=1e-5)


def test_a_damaged_file_is_told_with_the_fix(tmp_path: Path) -> None:
    file = write_small(tmp_path / "a.onnx")
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(DataError, match="ONNX Runtime cannot read it") as caught:
        OnnxSession(file)
    assert "export it again" in caught.value.fix


def test_operators_are_counted_by_who_ran_them(tmp_path: Path) -> None:
    ran = onnx_operators(write_small(tmp_path / "a.onnx"), np.zeros((1, 3, 16, 16), np.float32))
    assert list(ran) == [PROVIDER]
    assert ran[PROVIDER]["Conv"] == 1
    assert sum(ran[PROVIDER].values()) >= 3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("processor\t: 0\nflags\t\t: fpu avx2 avx512_vnni\n", False), ("flags : avx2 avx_vnni", False),
        ("flags\t\t: fpu avx2\n", True), ("Features\t: asimd\n", False), (None, False),
    ],
)  # fmt: skip
def test_exact_sums_of_8_bit_are_asked_for_where_the_processor_has_none(
    text: str | None, expected: bool, tmp_path: Path
) -> None:
    place = tmp_path / "cpuinfo"
    if text is not None:
        place.write_text(text)
    assert sums_run_over(place) is expected
