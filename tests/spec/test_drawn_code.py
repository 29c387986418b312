"""Own code is found wherever a run may come to use it: as written, and in what a search draws."""

from __future__ import annotations

from engine.spec import Spec
from engine.spec.code_uses import list_uses
from engine.spec.drawn_code import code_cells, drawn_code, uses_code

BASE = {"name": "s", "data": {"source": "digits"}, "student": {"arch": "tiny_vit_5m"}}
OPTIMIZERS = {"choice": ["adamw", "/lab/opt.py:One", "/lab/opt.py:Two"]}


def spec_of(space: dict[str, object], **search: object) -> Spec:
    return Spec.model_validate({**BASE, "arms": {"a": {}, "b": {}}, "search": {"space": space, **search}})


def codes_of(spec: Spec) -> list[str]:
    return [f"{cell.arm}: {use.reference}" for cell in code_cells(spec) for use in list_uses(cell.settings)]


def test_code_that_is_drawn_is_used_by_the_arms_that_are_searched() -> None:
    spec = spec_of({"train.lr": {"log": [1e-4, 1e-2]}}, arms={"a": {"train.optimizer": OPTIMIZERS}, "b": None})
    assert uses_code(spec)
    assert codes_of(spec) == ["a: /lab/opt.py:One", "a: /lab/opt.py:Two"]
    assert [(one.arm, one.path, one.at) for one in drawn_code(spec)] == [
        ("a", "train.optimizer", 1), ("a", "train.optimizer", 2)
    ]  # fmt: skip


def test_code_in_a_mapping_that_waits_for_another_draw_is_found() -> None:
    when = {"train.optimizer": ["sgd", "adamw"]}
    band = {"choice": [{"kind": "window"}, {"kind": "/lab/band.py:Band"}], "when": when}
    spec = spec_of({"train.optimizer": {"choice": ["adamw", "sgd"]}, "student.attention": band})
    assert codes_of(spec) == ["a: /lab/band.py:Band", "b: /lab/band.py:Band"]


def test_code_that_waits_for_a_draw_that_waits_itself_is_found() -> None:
    space = {
        "student.arch": {"choice": ["timm/mobilenetv3_large_100", "tiny_vit_5m"]},
        "student.windows": {"choice": [[7, 7, 14, 7]], "when": {"student.arch": "tiny_vit_5m"}},
        "student.attention": {"choice": [{"kind": "/lab/band.py:Band"}], "when": {"student.windows": [[7, 7, 14, 7]]}},
    }
    written = {**BASE, "student": {"arch": "timm/mobilenetv3_large_100"}, "search": {"space": space}}
    assert codes_of(Spec.model_validate(written)) == ["s: /lab/band.py:Band"]


def test_what_draws_no_code_uses_none() -> None:
    assert not uses_code(spec_of({"train.optimizer": {"choice": ["adamw", "sgd"]}}))
