"""Making targets goes on where it was interrupted, in the same batches, to the same bits."""

from __future__ import annotations

import json
import threading
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from torch import Tensor

from engine.core.data.pack import Pack
from engine.core.distill.make import Maker, write_targets
from engine.core.distill.shards import TargetShards
from engine.core.distill.targets import open_targets, targets_problem
from engine.errors import JobError
from engine.inputs.splits import Rows

from .linear import ROWS, make_maker, make_origin, predict, write_all

FILES = ("centre.bin", "logits.bin", "manifest.json")


class Interrupted(BaseException):
    """Stands for a SIGKILL."""


@pytest.fixture(scope="module")
def whole(pack: Pack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    write_all(make_maker(pack, batch=3), folder)
    return folder


@pytest.mark.parametrize("at", [1, 17, 400, 599, 601, 620, 632])
def test_interrupted_anywhere_it_ends_with_the_same_bits(pack: Pack, whole: Path, tmp_path: Path, at: int) -> None:
    asked = 0

    def interrupt(images: Tensor) -> Tensor:
        nonlocal asked
        asked += 1
        if asked == at:
            raise Interrupted
        return predict(images)

    def count(images: Tensor) -> Tensor:
        nonlocal asked
        asked += 1
        return predict(images)

    with pytest.raises(Interrupted):
        write_all(make_maker(pack, batch=3, predict=interrupt), tmp_path)
    assert targets_problem(tmp_path) is not None
    asked = 0
    write_all(make_maker(pack, batch=3, predict=count), tmp_path)
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (whole / name).read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(FILES)
    # of what was done before, the batches of one shard at most are done again
    assert asked <= 599 + 34 - at + 1 + 16


@pytest.mark.parametrize("workers", [1, 3])
def test_threads_that_render_ahead_change_no_byte(pack: Pack, whole: Path, tmp_path: Path, workers: int) -> None:
    drawn: set[str] = set()

    class Watched(Maker):
        def render(self, view: int, rows: Rows) -> Tensor:
            drawn.add(threading.current_thread().name)
            return super().render(view, rows)

    plain = make_maker(pack, batch=3, workers=workers)
    write_all(Watched(**{field.name: getattr(plain, field.name) for field in fields(plain)}), tmp_path)
    assert all((tmp_path / name).read_bytes() == (whole / name).read_bytes() for name in FILES)
    assert threading.current_thread().name not in drawn


def test_the_next_batches_are_rendered_while_the_teacher_answers(pack: Pack) -> None:
    rendered = threading.Semaphore(0)

    class Watched(Maker):
        def render(self, view: int, rows: Rows) -> Tensor:
            rendered.release()
            return super().render(view, rows)

    plain = make_maker(pack, batch=3, workers=1)
    maker = Watched(**{field.name: getattr(plain, field.name) for field in fields(plain)})
    batches = maker.render_batches(0, ROWS[:12])
    next(batches)
    # While it looks at the first one, the others are made without being asked for.
    assert all(rendered.acquire(timeout=120) for _ in range(4))
    assert len(list(batches)) == 3


def test_a_damaged_shard_and_all_after_it_are_made_again(pack: Pack, whole: Path, tmp_path: Path) -> None:
    interrupted = make_maker(pack, batch=3)
    with pytest.raises(Interrupted):
        write_targets(interrupted, tmp_path, lambda done, count: None, check=_interrupt)
    raw = bytearray((tmp_path / "centre.bin").read_bytes())
    raw[5000] ^= 1
    (tmp_path / "centre.bin").write_bytes(raw)
    write_all(make_maker(pack, batch=3), tmp_path)
    assert all((tmp_path / name).read_bytes() == (whole / name).read_bytes() for name in FILES)


def _interrupt(folder: Path, form: object) -> None:
    raise Interrupted


def test_what_was_begun_for_another_teacher_is_thrown_away(pack: Pack, whole: Path, tmp_path: Path) -> None:
    other = make_maker(
        pack, batch=3, origin=make_origin(pack, info={"job": "targets-2"}), predict=lambda x: -predict(x)
    )
    with pytest.raises(Interrupted):
        write_targets(other, tmp_path, lambda done, count: None, check=_interrupt)
    write_all(make_maker(pack, batch=3), tmp_path)
    assert (tmp_path / "centre.bin").read_bytes() == (whole / "centre.bin").read_bytes()


def test_a_teacher_is_judged_before_its_views_are_made(pack: Pack, tmp_path: Path) -> None:
    seen: list[int] = []

    def refuse(folder: Path, form: object) -> None:
        raise JobError("at chance")

    with pytest.raises(JobError, match="at chance"):
        write_targets(make_maker(pack), tmp_path, lambda done, count: seen.append(done), check=refuse)
    assert seen[-1] == len(pack)
    assert not (tmp_path / "manifest.json").exists()


def test_progress_counts_every_image_once(pack: Pack, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    write_targets(make_maker(pack), tmp_path, lambda done, count: seen.append((done, count)))
    total = len(pack) + 2 * len(ROWS)
    assert seen[-1] == (total, total)
    assert [done for done, _ in seen] == sorted({done for done, _ in seen})


def test_the_manifest_says_what_targets_are_of(pack: Pack, tmp_path: Path) -> None:
    origin = make_origin(pack, info={"job": "targets-1", "torch": "2", "teacher": {"weights": "ab"}})
    write_all(make_maker(pack, origin=origin), tmp_path)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["info"] == dict(origin.info)
    assert open_targets(tmp_path, make_origin(pack), ROWS).info == dict(origin.info)
    assert manifest["keys"] == [pack.keys[row] for row in ROWS]


def test_shards_are_cut_to_what_is_whole(tmp_path: Path) -> None:
    writer = TargetShards(tmp_path, "a")
    for number in range(3):
        writer.append("one.bin", np.full(4, number, dtype=np.int16))
    with open(tmp_path / "one.bin", "ab") as torn:
        torn.write(b"half a sh")
    (tmp_path / "stray.tmp").write_text("x")
    again = TargetShards(tmp_path, "a")
    assert again.size("one.bin") == 24
    assert (tmp_path / "one.bin").stat().st_size == 24
    assert not (tmp_path / "stray.tmp").exists()
    assert TargetShards(tmp_path, "b").size("one.bin") == 0
    assert not (tmp_path / "one.bin").exists()
