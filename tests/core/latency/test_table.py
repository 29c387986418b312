"""The times of a device: what was added is there, what is damaged is begun anew."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.core.latency.table import Times, Whole, add_times, read_times, setting_name

ONE, TWO = setting_name(1, 1, "fp32"), setting_name(1, 2, "fp32")


def test_times_of_two_settings_are_kept_apart(tmp_path: Path) -> None:
    path = tmp_path / "latency" / "cpu.json"
    add_times(path, ONE, Times(pieces={"a": 1.0}, wholes={"net": Whole(seconds=2.0, summed=1.0)}))
    add_times(path, TWO, Times(pieces={"a": 3.0}))
    joined = add_times(path, ONE, Times(pieces={"a": 1.5, "b": 2.0}))
    assert joined == read_times(path, ONE)
    assert joined.pieces == {"a": 1.5, "b": 2.0}
    assert joined.wholes["net"].seconds == 2.0
    assert read_times(path, TWO).pieces == {"a": 3.0}


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"s": {"pieces": {"a": -1}}}', '{"s": {"pieces": {"a": NaN}}}', '{"s": 1}']
)
def test_a_damaged_file_is_begun_anew(text: str, tmp_path: Path) -> None:
    path = tmp_path / "cpu.json"
    path.write_text(text)
    assert read_times(path, ONE) == Times()
    assert add_times(path, ONE, Times(pieces={"a": 1.0})) == read_times(path, ONE)


def test_another_torch_has_other_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.core.latency.table.torch.__version__", "0.1")
    assert setting_name(1, 1, "fp32") == "torch 0.1, batch 1, threads 1, fp32" != ONE
