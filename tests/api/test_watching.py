"""Progress: lines where nothing can be drawn again, one place of a page in a notebook."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from engine.api import watching
from engine.api.watching import Drawing, Lines, open_board, state_of, view_html
from engine.inspect.status import Beat, ExperimentView, JobView


def a_view(done: int = 0, **jobs: int) -> ExperimentView:
    return ExperimentView("one", {}, {"done": done, **jobs}, {"done": float(done)}, ())


def test_lines_come_every_five_seconds_and_say_something_new(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [100.0]
    monkeypatch.setattr(watching, "time", SimpleNamespace(monotonic=lambda: now[0]))
    lines = Lines()
    for seconds, view in ((0, a_view(0, queued=2)), (1, a_view(1, queued=1)), (6, a_view(1, queued=1)),
                          (12, a_view(1, queued=1)), (13, a_view(2))):  # fmt: skip
        now[0] = 100.0 + seconds
        lines.show(view)
    assert [line.split(",")[0] for line in capsys.readouterr().err.splitlines()] == [
        "one: 0/2 jobs", "one: 1/2 jobs", "one: 2/2 jobs",
    ]  # fmt: skip


def test_a_page_is_drawn_again_only_when_it_says_something_else() -> None:
    pages: list[str] = []
    board = Drawing(pages.append)
    for view in (a_view(0, queued=2), a_view(0, queued=2), a_view(1, queued=1)):
        board.show(view)
    board.tell("the scheduler is gone: starting another one")
    board.show(a_view(2))
    assert len(pages) == 3
    assert "another one" in pages[-1]
    assert "another one" not in pages[1]


def test_jupyter_gets_one_display_that_is_updated(monkeypatch: pytest.MonkeyPatch) -> None:
    updates: list[str] = []
    shown: list[str] = []

    def display(html: str, display_id: bool) -> Any:
        assert display_id
        shown.append(html)
        return SimpleNamespace(update=updates.append)

    shell = SimpleNamespace(kernel=object())
    fake = SimpleNamespace(get_ipython=lambda: shell, display=SimpleNamespace(display=display, HTML=lambda page: page))
    monkeypatch.setitem(sys.modules, "IPython", fake)
    board = open_board()
    for done in range(3):
        board.show(a_view(done, queued=1))
    assert (len(shown), len(updates)) == (1, 2)


def test_a_terminal_s_ipython_gets_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: SimpleNamespace()))
    monkeypatch.delitem(sys.modules, "marimo", raising=False)
    assert isinstance(open_board(), Lines)
    monkeypatch.setitem(sys.modules, "marimo", SimpleNamespace(running_in_notebook=lambda: False))
    assert isinstance(open_board(), Lines)


def test_marimo_gets_its_cell_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    pages: list[str] = []
    output = SimpleNamespace(replace=pages.append)
    fake = SimpleNamespace(running_in_notebook=lambda: True, output=output, Html=lambda page: page)
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    monkeypatch.setitem(sys.modules, "marimo", fake)
    open_board().show(a_view(1))
    assert "one" in pages[0]


def test_names_and_reasons_are_only_text() -> None:
    beat = Beat(phase="train", step=5, steps=10)
    jobs = [
        JobView("train-1", "train", "running", "<b>x</b>", "", 1, 100.0, 40.0, beat),
        JobView("train-2", "train", "failed", "student", "<script>1</script>", 1, 100.0, 40.0, Beat()),
    ]
    page = view_html(ExperimentView("one", {}, {"running": 1, "failed": 1}, {"running": 100.0}, tuple(jobs)))
    assert "&lt;b&gt;x&lt;/b&gt;" in page
    assert "<script>" not in page
    assert "failed: student: &lt;script&gt;1&lt;/script&gt;" in page


@pytest.mark.parametrize(
    ("jobs", "state"),
    [
        ({"done": 2}, "done"), ({"queued": 1, "done": 1}, "queued"), ({"running": 1, "queued": 1}, "running"),
        ({"failed": 1, "blocked": 1}, "failed"), ({"cancelled": 1}, "cancelled"), ({"paused": 1, "done": 1}, "paused"),
        ({"blocked": 1}, "blocked"),
    ],
)  # fmt: skip
def test_a_state_is_one_word(jobs: dict[str, int], state: str) -> None:
    assert state_of(ExperimentView("one", {}, jobs, {}, ())) == state
