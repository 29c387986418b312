"""The tensors of a file alone: what a header says, and in which order tensors lie, changes nothing of their digest."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save, save_file

from engine.errors import DataError
from engine.inputs import tensors
from engine.inputs.tensors import TENSORS, are_changed, kept_digest, stated_digest, tensors_digest, tensors_layout
from engine.inputs.weights import order_header

STATE = {"b": torch.arange(6, dtype=torch.float32).reshape(2, 3), "a": torch.tensor([1, 2]), "c": torch.tensor(3.0)}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    save_file(STATE, tmp_path / "one.safetensors", {"xp.lineage": "told"})
    return tmp_path / "one.safetensors"


def other(file: Path, state: dict[str, torch.Tensor]) -> str:
    path = file.with_name("other.safetensors")
    save_file(state, path)
    return tensors_digest(path)


def by_hand(*names: str) -> bytes:
    """A file whose tensors lie in the order of `names`: safetensors itself always takes one of its own."""
    raw = {name: STATE[name].numpy().tobytes() for name in names}
    kinds = {torch.float32: "F32", torch.int64: "I64"}
    header, begin = {}, 0
    for name, data in raw.items():
        place = [begin, begin := begin + len(data)]
        header[name] = {"dtype": kinds[STATE[name].dtype], "shape": [*STATE[name].shape], "data_offsets": place}
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + b"".join(raw.values())


def test_the_digest_is_over_name_dtype_shape_and_bytes(file: Path) -> None:
    total = hashlib.sha256()
    for name, dtype in (("a", "I64"), ("b", "F32"), ("c", "F32")):
        total.update(json.dumps([name, dtype, [*STATE[name].shape]]).encode() + b"\n" + STATE[name].numpy().tobytes())
    assert tensors_digest(file) == total.hexdigest()
    assert tensors_digest(file.read_bytes()) == total.hexdigest()


def test_header_and_order_change_nothing(file: Path, tmp_path: Path) -> None:
    digests = {tensors_digest(file), tensors_digest(save(load_file(file), {"format": "pt"}))}
    digests |= {tensors_digest(by_hand(*names)) for names in ("abc", "cba", "bca")}
    moved = tmp_path / "moved.safetensors"
    moved.write_bytes(by_hand("c", "a", "b"))
    assert {*digests, tensors_digest(moved)} == {tensors_digest(file)}


def test_whatever_is_another_network_has_another_digest(file: Path) -> None:
    changed = {
        "a value": {**STATE, "a": torch.tensor([1, 3])},
        "a shape": {**STATE, "b": STATE["b"].reshape(3, 2)},
        "a name": {"b": STATE["b"], "d": STATE["a"], "c": STATE["c"]},
        "a dtype": {name: value.half() for name, value in STATE.items()},
        "one tensor less": {"b": STATE["b"], "a": STATE["a"]},
        "two that changed places": {"b": STATE["b"], "a": STATE["a"].flip(0), "c": STATE["c"]},
    }
    digests = [tensors_digest(file), *(other(file, state) for state in changed.values())]
    assert len(set(digests)) == len(digests)


def test_a_large_tensor_is_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    whole = tensors_digest(file)
    monkeypatch.setattr(tensors, "CHUNK", 5)
    assert tensors_digest(file) == whole


def test_a_layout_reads_no_tensor(file: Path) -> None:
    assert tensors_layout(file) == (("a", "I64", (2,)), ("b", "F32", (2, 3)), ("c", "F32", ()))


def test_a_digest_is_taken_once(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache, whole = tmp_path / "cache" / "tensors.json", tensors_digest(file)
    assert kept_digest(file, cache) == whole
    with monkeypatch.context() as patch:
        patch.setattr(tensors, "tensors_digest", lambda _: pytest.fail("nothing has changed"))
        assert kept_digest(file, cache) == whole
    save_file({"a": torch.zeros(2)}, file)
    os.utime(file, ns=(1, 1))
    assert kept_digest(file, cache) == tensors_digest(file) != whole


@pytest.mark.parametrize("raw", [b"", b"no weights", by_hand("a", "b")[:-1]])
def test_what_is_no_weights_file_is_named(raw: bytes, file: Path, tmp_path: Path) -> None:
    file.write_bytes(raw)
    for read in (tensors_digest, tensors_layout, lambda path: kept_digest(path, tmp_path / "cache.json")):
        with pytest.raises(DataError, match="cannot be read") as caught:
            read(file)
        assert caught.value.where == str(file)
    assert stated_digest(file) is None


def test_a_header_whose_tensors_were_changed_is_found_out(tmp_path: Path) -> None:
    raw, file, cache = save(STATE), tmp_path / "told.safetensors", tmp_path / "cache.json"
    file.write_bytes(order_header(raw, {TENSORS: tensors_digest(raw)}))
    assert stated_digest(file) == tensors_digest(file)
    assert not are_changed(file, cache)
    save_file({**STATE, "a": torch.tensor([1, 3])}, file, {TENSORS: tensors_digest(raw)})
    assert are_changed(file, cache)


def test_a_header_without_a_digest_says_nothing_against_its_tensors(file: Path, tmp_path: Path) -> None:
    assert stated_digest(file) is None
    assert not are_changed(file, tmp_path / "cache.json")
