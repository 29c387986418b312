"""A question to a child process: asked once, kept for these versions, and without an answer where none can be had."""

from __future__ import annotations

from typing import Any

import pytest

from engine.core import prune_left
from engine.home.paths import Home
from engine.plan import child
from engine.plan.child import ask_child

run_child = child.run_child  # before the tests of planning put another in its place
SIZES = {"arch": "tiny_vit", "dims": [8, 16, 32, 32], "depths": [1, 1, 1, 1], "heads": [1, 2, 2, 4]}
QUESTION: dict[str, Any] = {
    "network": {**SIZES, "windows": [4, 4, 2, 1]}, "outputs": 10, "image_size": 32, "prune": {"ratio": 0.6}
}  # fmt: skip


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    questions: list[tuple[str, dict[str, Any]]] = []

    def answer(module: str, question: dict[str, Any]) -> Any:
        questions.append((module, question))
        return question.get("answer")

    monkeypatch.setattr(child, "run_child", answer)
    return questions


def test_a_child_answers_as_its_module_does() -> None:
    assert run_child(prune_left.__name__, QUESTION) == prune_left.answer(QUESTION)


def test_a_child_that_fails_has_no_answer() -> None:
    assert run_child("engine.core.no_such_module", {}) is None


def test_an_answer_is_kept_by_module_and_question(home: Home, asked: list[Any]) -> None:
    for _ in range(2):
        assert ask_child(home, "one", {"answer": 1}) == 1
        assert ask_child(home, "two", {"answer": 1}) == 1
        assert ask_child(home, "one", {"answer": []}) == []
    assert [module for module, _ in asked] == ["one", "two", "one"]


def test_another_torch_is_asked_again(home: Home, asked: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    ask_child(home, "one", {"answer": 1})
    monkeypatch.setattr(child, "package_version", lambda name: "another")
    ask_child(home, "one", {"answer": 1})
    assert len(asked) == 2


def test_no_answer_is_not_kept(home: Home, asked: list[Any]) -> None:
    for _ in range(2):
        assert ask_child(home, "one", {}) is None
    assert len(asked) == 2
    home.fits.parent.mkdir(parents=True, exist_ok=True)
    home.fits.write_text("damaged")
    assert ask_child(home, "one", {"answer": 1}) == 1
