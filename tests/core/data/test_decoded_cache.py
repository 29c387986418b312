"""Every decoded gives the crops that single images give, and what is held where follows from data.cache and room."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from engine.core.data import decoded_cache as resident
from engine.core.data.decode import Pixels
from engine.core.data.decoded_cache import DecodedCache, DeviceCache, HostCache, decoded_bytes, open_decoded
from engine.core.data.pack import Pack
from engine.core.data.views import Crop, render_crop
from engine.spec import Data
from tests.core.data.conftest import OBLONGS

HOST, GPU = torch.device("cpu"), torch.device("cuda")
ROWS = [4, 0, 5, 3, 1, 2, 0]
CROPS = [Crop(0.1 * place, 0.05 * place, 0.3 + 0.05 * place, 0.6, place % 2 == 1) for place in range(7)]


def album_of(packs: dict[str, Pack], kind: str, cache: str) -> DecodedCache:
    if cache == "device":
        return DeviceCache(packs[kind], HOST)
    return HostCache(packs[kind], "raw" if cache == "raw" else "jpeg")


def cropped(pack: Pack) -> Tensor:
    return torch.stack([render_crop(pack.image(row), crop, 24) for row, crop in zip(ROWS, CROPS, strict=True)])


@pytest.mark.parametrize(
    ("kind", "cache"), [("raw", "raw"), ("jpeg", "jpeg"), ("jpeg", "raw"), ("raw", "device"), ("jpeg", "device")]
)
def test_an_album_gives_the_crops_of_its_images_in_the_order_asked(
    oblong_packs: dict[str, Pack], monkeypatch: pytest.MonkeyPatch, kind: str, cache: str
) -> None:
    for chunk, at_once in ((256, 32), (4, 3), (3, 2)):  # 5 crops of large images, 2 of small ones
        monkeypatch.setattr(resident, "CHUNK", chunk)
        monkeypatch.setattr(resident, "AT_ONCE", at_once)
        shown = album_of(oblong_packs, kind, cache).render(ROWS, CROPS, 24)
        assert torch.equal(shown, cropped(oblong_packs[kind]))


def test_a_jpeg_is_decoded_once_where_the_host_holds_raw_pixels(
    oblong_packs: dict[str, Pack], monkeypatch: pytest.MonkeyPatch
) -> None:
    pack = oblong_packs["jpeg"]
    raw, packed = HostCache(pack, "raw"), HostCache(pack, "jpeg")
    expected = cropped(pack)
    decoded: list[int] = []
    honest = Pack.image

    def note(pack: Pack, row: int) -> Pixels:
        decoded.append(row)
        return honest(pack, row)

    monkeypatch.setattr(Pack, "image", note)
    assert torch.equal(raw.render(ROWS, CROPS, 24), expected)
    assert decoded == []
    packed.render(ROWS, CROPS, 24)
    assert decoded == ROWS


def test_a_raw_pack_is_not_copied_into_memory(oblong_packs: dict[str, Pack], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resident, "_decoded_chunks", lambda pack: pytest.fail("the file is mapped: it is enough"))
    HostCache(oblong_packs["raw"], "raw").render([0], CROPS[:1], 24)


def test_decoded_images_take_three_bytes_a_pixel(oblong_packs: dict[str, Pack]) -> None:
    assert decoded_bytes(oblong_packs["jpeg"]) == sum(3 * width * height for width, height in OBLONGS)


def test_only_what_a_device_holds_counts_as_its_memory(oblong_packs: dict[str, Pack]) -> None:
    pack = oblong_packs["raw"]
    assert HostCache(pack, "raw").device_bytes == DeviceCache(pack, HOST).device_bytes == 0
    assert DeviceCache(pack, torch.device("meta")).device_bytes == decoded_bytes(pack)


def data_of(pack: Pack, cache: str) -> Data:
    return Data.model_validate({"source": "folder", "root": "packed", "format": pack.format, "cache": cache})


def test_loaders_of_one_pack_share_an_album_for_each_cache_and_device(
    oblong_packs: dict[str, Pack], monkeypatch: pytest.MonkeyPatch
) -> None:
    pack = replace(oblong_packs["jpeg"], decoded_caches={})
    first = open_decoded(pack, data_of(pack, "auto"), HOST)
    assert open_decoded(pack, data_of(pack, "jpeg"), HOST) is first
    raw = open_decoded(pack, data_of(pack, "raw"), HOST)
    assert (first.cache, raw.cache) == ("jpeg", "raw")
    assert raw is open_decoded(pack, data_of(pack, "raw"), HOST)
    monkeypatch.setattr(resident, "_choose_cache", lambda pack, data, device: "device")
    held = [open_decoded(pack, data_of(pack, "device"), torch.device(name)) for name in ("cpu", "meta", "cpu")]
    assert isinstance(held[0], DeviceCache)
    assert held[0] is held[2] is not held[1]


@pytest.mark.parametrize(
    ("kind", "device", "cache", "room", "expected"),
    [
        ("raw", HOST, "auto", 0.0, "raw"),
        ("jpeg", HOST, "auto", 9.0, "jpeg"),
        ("jpeg", HOST, "jpeg", 9.0, "jpeg"),
        ("jpeg", HOST, "raw", 0.0, "raw"),
        ("jpeg", HOST, "device", 9.0, "raw"),
        ("raw", HOST, "device", 9.0, "raw"),
        ("jpeg", GPU, "jpeg", 9.0, "jpeg"),
        ("jpeg", GPU, "raw", 9.0, "raw"),
        ("jpeg", GPU, "auto", 4.0, "device"),
        ("jpeg", GPU, "auto", 3.9, "jpeg"),
        ("raw", GPU, "auto", 3.9, "raw"),
        ("jpeg", GPU, "device", 1.12, "device"),
        ("jpeg", GPU, "device", 1.1, "jpeg"),
    ],
)
def test_images_are_held_where_there_is_room(
    oblong_packs: dict[str, Pack], monkeypatch: pytest.MonkeyPatch, kind: str, device: torch.device, cache: str,
    room: float, expected: str,
) -> None:  # fmt: skip
    pack = replace(oblong_packs[kind], decoded_caches={})
    free = round(room * decoded_bytes(pack))
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free, 2 * free))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert resident._choose_cache(pack, data_of(pack, cache), device) == expected


def test_the_host_keeps_images_packed_where_a_gpu_is_meant_to_hold_them(
    oblong_packs: dict[str, Pack], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert resident._choose_cache(oblong_packs["jpeg"], data_of(oblong_packs["jpeg"], "device"), HOST) == "jpeg"


def test_a_device_that_holds_the_images_is_not_asked_for_room_again(
    oblong_packs: dict[str, Pack], monkeypatch: pytest.MonkeyPatch
) -> None:
    pack = replace(oblong_packs["raw"], decoded_caches={("device", "cuda"): object()})
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (0, 0))
    assert resident._choose_cache(pack, data_of(pack, "auto"), GPU) == "device"
    assert resident._choose_cache(pack, data_of(pack, "auto"), torch.device("cuda:1")) == "raw"


def test_the_log_says_when_a_device_that_was_asked_for_is_too_small(
    oblong_packs: dict[str, Pack], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pack = replace(oblong_packs["raw"], decoded_caches={})
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (3 << 30, 8 << 30))
    monkeypatch.setattr(resident, "decoded_bytes", lambda pack: 5 << 30)
    assert resident._choose_cache(pack, data_of(pack, "auto"), GPU) == "raw"
    assert capsys.readouterr().out == ""
    assert resident._choose_cache(pack, data_of(pack, "device"), GPU) == "raw"
    assert "5.0 GiB of images do not fit into 3.0 GiB of free memory" in capsys.readouterr().out


@pytest.mark.parametrize(("share", "expected"), [(2.0, "raw"), (1.0, "jpeg")])
def test_the_host_decodes_all_only_where_its_memory_or_its_groups_has_room(
    oblong_packs: dict[str, Pack], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], share: float,
    expected: str,
) -> None:  # fmt: skip
    pack = replace(oblong_packs["jpeg"], decoded_caches={})
    monkeypatch.setattr(resident, "memory_room", lambda: round(share * decoded_bytes(pack)))
    assert resident._choose_cache(pack, data_of(pack, "raw"), HOST) == expected
    assert ("do not fit" in capsys.readouterr().out) == (expected == "jpeg")
