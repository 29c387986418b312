"""A cache with features gives back what was written, and a student hears the same of it and of its teacher."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from engine.core.data.loader import TrainLoader
from engine.core.data.pack import Pack
from engine.core.distill.answering import CachedTeacher, HeardBeside, OnlineTeacher
from engine.core.distill.encoding import RowFormat
from engine.core.distill.feature_rows import FeatureForm, TaughtRows, round_feature
from engine.core.distill.make import Maker, Said, write_targets
from engine.core.distill.targets import open_targets
from engine.errors import JobError

from .linear import DATA, ROWS, SIZE, make_maker, make_origin, predict, write_all

FORMS = (FeatureForm(4, 3, "fp16"), FeatureForm(1, 3, "fp32"))


def listen(images: Tensor) -> Said:
    found = images.float() / 255
    halves = torch.nn.functional.adaptive_avg_pool2d(found, 2).flatten(2).transpose(1, 2)
    return predict(images), (halves, found.mean((2, 3))[:, None])


def taught_maker(pack: Pack, **changes: Any) -> Maker:
    return make_maker(pack, **{"listen": listen, "features": FORMS, **changes})


@pytest.mark.parametrize("kept", [None, 4])
def test_rows_come_back_as_they_were_written(kept: int | None) -> None:
    logits, features = torch.randn(5, 12), (torch.randn(5, 4, 3), torch.randn(5, 1, 3))
    rows = TaughtRows(RowFormat(12, kept), FORMS)
    written = rows.encode(logits, features)
    answers = rows.decode(written)
    plain = TaughtRows(RowFormat(12, kept))
    torch.testing.assert_close(answers.logits, plain.decode(plain.encode(logits, ())).logits, rtol=0, atol=0)
    torch.testing.assert_close(answers.features[0], features[0].half().float(), rtol=0, atol=0)
    torch.testing.assert_close(answers.features[1], features[1], rtol=0, atol=0)
    assert all(map(torch.equal, answers.features, rows.hear(features)))
    assert np.array_equal(rows.answer_of(written), plain.encode(logits, ()))


def test_a_feature_beyond_its_numbers_is_refused() -> None:
    far = torch.full((1, 1, 1), 1e5)
    with pytest.raises(JobError, match="not finite in fp16"):
        round_feature(far, "fp16")
    assert round_feature(far, "fp32").item() == 1e5


def batches(pack: Pack, maker: Maker) -> Iterator[Any]:
    for epoch in range(2):
        yield from TrainLoader(pack, maker.origin.rows, DATA, SIZE, 20, seed=5, views=2).epoch(epoch)


def test_cached_features_equal_those_of_the_teacher_in_the_step(pack: Pack, tmp_path: Path) -> None:
    maker = taught_maker(pack, batch=1)
    write_all(maker, tmp_path / "targets")
    targets = open_targets(tmp_path / "targets", maker.origin, ROWS)
    assert targets.features == FORMS
    cached, online = CachedTeacher(targets, 2.0), OnlineTeacher(maker, maker.look, 2.0, batch=1)
    blind = CachedTeacher(replace(targets, features=(), _logits=targets._logits["answer"]), 2.0)  # type: ignore[index]
    for batch in batches(pack, maker):
        one, other, beside = cached(batch), online(batch), HeardBeside(blind, online)(batch)
        assert [tuple(part.shape) for part in one.features] == [(len(batch.rows), 4, 3), (len(batch.rows), 1, 3)]
        for heard in (other, beside):
            assert torch.equal(one.logits, heard.logits)
            assert all(map(torch.equal, one.features, heard.features))
        piece = one[slice(0, 3)]
        assert torch.equal(piece.features[0], one.features[0][:3])


class Interrupted(Exception):
    pass


def test_interrupted_anywhere_a_cache_with_features_is_the_same_bytes(pack: Pack, tmp_path: Path) -> None:
    write_all(taught_maker(pack, batch=3), tmp_path / "whole")
    asked = 0

    def stop(images: Tensor) -> Said:
        nonlocal asked
        asked += 1
        if asked in (5, 12, 20):
            raise Interrupted
        return listen(images)

    folder = tmp_path / "torn"
    folder.mkdir()
    for _ in range(4):
        try:
            write_targets(taught_maker(pack, batch=3, listen=stop), folder, lambda done, count: None)
            break
        except Interrupted:
            continue
    assert asked > 20
    for name in ("logits.bin", "centre.bin", "manifest.json"):
        assert (folder / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_what_was_begun_with_other_features_is_thrown_away(pack: Pack, tmp_path: Path) -> None:
    def stop(images: Tensor) -> Said:
        raise Interrupted

    with pytest.raises(Interrupted):
        write_targets(taught_maker(pack, listen=stop), tmp_path, lambda done, count: None)
    other = (FORMS[0], replace(FORMS[1], dtype="fp16"))
    found = write_targets(replace(taught_maker(pack), features=other), tmp_path, lambda done, count: None)
    assert found == 0
    assert open_targets(tmp_path, make_origin(pack), ROWS).features == other
