"""A registry that is read as data is the one that is imported; what is no registry is refused by name."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import TypeAdapter, ValidationError

from engine.spec import registries
from engine.spec.data import SourceWords
from engine.spec.distill import LossWords
from engine.spec.optimizers import OptimizerWords
from engine.spec.patterns import SelectWords
from engine.spec.registries import REGISTRIES, OneOf, find_word, one_of, read_registry, read_words

FACTS: dict[str, type[Any]] = {
    "loss": LossWords,
    "optimizer": OptimizerWords,
    "select": SelectWords,
    "source": SourceWords,
}


def real_registry(kind: str) -> Mapping[str, Any]:
    file, name = REGISTRIES[kind]
    module = importlib.import_module("engine." + file.removesuffix(".py").replace("/", "."))
    registry: Mapping[str, Any] = getattr(module, name)
    return registry


@pytest.mark.parametrize("kind", REGISTRIES)
def test_what_is_read_is_what_is_imported(kind: str) -> None:
    assert list(read_registry(*REGISTRIES[kind])) == list(real_registry(kind))


@pytest.mark.parametrize("kind", FACTS)
def test_every_fact_of_a_word_is_read(kind: str) -> None:
    """A fact that a spec needs and that is no literal would be its default here, and another thing in the code."""
    names, real = [field.name for field in fields(FACTS[kind])], real_registry(kind)
    for word, read in read_words(kind, FACTS[kind]).items():
        assert [getattr(read, name) for name in names] == [getattr(real[word], name) for name in names]


def test_words_are_read_without_torch() -> None:
    code = "import engine.spec, sys; sys.exit(bool({'torch', 'sklearn', 'PIL'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@dataclass(frozen=True)
class Facts:
    size: int


def write(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> str:
    (folder / "things.py").write_text(text)
    monkeypatch.setattr(registries, "ENGINE", folder)
    monkeypatch.setitem(REGISTRIES, "thing", ("things.py", "THINGS"))
    read_registry.cache_clear()
    return "things.py"


@pytest.fixture(autouse=True)
def _forget_what_was_read() -> Any:
    yield
    read_registry.cache_clear()


def test_only_the_foot_is_parsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "this is no Python\nTHINGS = {}\n1 +\nTHINGS: dict = {'a': f(1, size=2, do=g)}\n"
    file = write(tmp_path, text, monkeypatch)
    assert read_registry(file, "THINGS") == {"a": {"size": 2}}
    assert read_words("thing", Facts) == {"a": Facts(2)}
    assert one_of("thing") == OneOf(("a",))


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("x = 1\n", "no dict THINGS at its foot"),
        ("\nTHINGS = dict(a=1)\n", "no dict THINGS at its foot"),
        ("\nTHINGS = {A: 1}\n", "a key that is no text"),
        ("\nTHINGS = {**OTHERS}\n", "a key that is no text"),
    ],
)
def test_what_is_no_registry_is_refused(text: str, what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write(tmp_path, text, monkeypatch)
    with pytest.raises(ValueError, match=rf"engine/things\.py.* {what}"):
        read_registry(file, "THINGS")


def test_an_entry_without_a_fact_it_must_have_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "\nTHINGS = {'a': f(size=1), 'b': f(size=SIZE)}\n", monkeypatch)
    with pytest.raises(TypeError, match=r"engine/things\.py: THINGS\['b'\] does not say all, in literals: .*'size'"):
        read_words("thing", Facts)


def test_one_of_is_checked_and_listed_as_a_literal_is() -> None:
    adapter = TypeAdapter(Annotated[str, OneOf(("hinton", "dist"))])
    assert adapter.json_schema() == {"enum": ["hinton", "dist"], "type": "string"}
    assert adapter.validate_python("dist") == "dist"
    with pytest.raises(ValidationError) as caught:
        adapter.validate_python("dst")
    (detail,) = caught.value.errors()
    assert (detail["type"], detail["ctx"]) == ("literal_error", {"expected": "'hinton' or 'dist'"})


def test_a_word_that_is_absent_is_told_with_the_nearest() -> None:
    assert find_word({"slide": 1}, "slide", "pattern") == 1
    with pytest.raises(ValueError, match=r"unknown pattern 'slied': did you mean 'slide'\?"):
        find_word({"slide": 1, "row": 2}, "slied", "pattern")
