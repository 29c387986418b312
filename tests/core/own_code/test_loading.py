"""Own code comes from its copy alone, each version by itself, with its options made by its own model."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

from engine.core.own_code.loading import call_own, load_code, options_model
from engine.errors import JobError
from tests.core.own_code.trying import settle_text

FUNCTION = "from thing_part import VALUE\n\ndef Thing(word):\n    return word * VALUE\n"
CHOOSY = "from pydantic import BaseModel\n\nclass Words(BaseModel):\n    times: int = 2\n\n" + (
    "def Thing(word, options: Words):\n    return word * options.times\n"
)


@pytest.fixture(autouse=True)
def own_modules() -> Iterator[None]:
    places = list(sys.path)
    yield
    sys.path[:] = places
    for name in ("thing", "thing_part"):
        sys.modules.pop(name, None)


def test_code_runs_from_its_copy(tmp_path: Path) -> None:
    (tmp_path / "thing_part.py").write_text("VALUE = 8\n")  # no other test's: what a process has loaded stays
    settled = settle_text(tmp_path, FUNCTION)
    (tmp_path / "thing_part.py").write_text("VALUE = 4\n")
    assert call_own(settled, {}, 2) == 16
    file = sys.modules["thing_part"].__file__
    assert file is not None
    assert Path(file).is_relative_to(tmp_path / "home" / "own_code")
    assert not list((tmp_path / "home").rglob("__pycache__"))


def test_two_versions_stay_apart(tmp_path: Path) -> None:
    (tmp_path / "thing_part.py").write_text("VALUE = 3\n")
    first = settle_text(tmp_path, FUNCTION)
    assert call_own(first, {}, 1) == 3
    (tmp_path / "thing_part.py").write_text("VALUE = 5\n")
    second = settle_text(tmp_path, FUNCTION)
    assert (call_own(second, {}, 1), call_own(first, {}, 1)) == (5, 3)
    assert load_code(first) is not load_code(second)


def test_options_are_made_by_their_model(tmp_path: Path) -> None:
    settled = settle_text(tmp_path, CHOOSY)
    assert (call_own(settled, {}, 3), call_own(settled, {"times": 5}, 3)) == (6, 15)
    with pytest.raises(ValidationError):
        call_own(settled, {"times": "often"}, 3)


def test_options_without_a_model_are_refused(tmp_path: Path) -> None:
    with pytest.raises(JobError, match="takes no options"):
        call_own(settle_text(tmp_path, "def Thing(word): ...\n"), {"times": 1}, 3)


def test_model_is_found_by_annotation() -> None:
    class Words(BaseModel):
        width: int = 1

    class Plain:
        pass

    def with_options(word: int, options: int) -> int:
        return word + options

    class Net:
        def __init__(self, word: int, options: object) -> None: ...

    Net.__init__.__annotations__["options"] = Words
    assert options_model(Net) is Words
    assert options_model(Plain) is None
    with pytest.raises(TypeError, match="pydantic"):
        options_model(with_options)
