"""The prompt of `xp sql`: typed keys in, answers out; a mistake ends nothing, leaving does."""

from __future__ import annotations

from pathlib import Path

import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from engine.analysis.query import list_names
from engine.cli.sql_prompt import NameCompleter, Prompt
from engine.collect import collect
from engine.errors import QueryError
from engine.home.paths import Home
from tests.helpers.synthetic import ARMS, SyntheticHome


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    made = SyntheticHome(tmp_path_factory.mktemp("home"))
    made.experiment("paper", ARMS, seeds=(0,))
    collect(made.home)
    return made.home


def _type(home: Home, keys: str) -> str:
    """Return what a person sees who types `keys` and then Ctrl-D."""
    said: list[str] = []
    with create_pipe_input() as pipe:
        pipe.send_text(keys + "\x04")
        Prompt(home, "csv", said.append).run(pipe, DummyOutput())
    return "\n".join(said[1:])


def test_query_over_several_lines_is_answered_at_its_semicolon(home: Home) -> None:
    assert _type(home, "select count(*) as runs\rfrom runs\r;\r") == "runs\n3"


def test_mistake_is_one_line_and_the_next_query_is_answered(home: Home) -> None:
    lines = _type(home, "from cell;\rselect 1 as one;\r").splitlines()
    assert lines == ["error: there is no table 'cell'; nearest: cells", "one", "1"]


def test_orders_switch_the_format_and_list_names(home: Home) -> None:
    assert _type(home, "\\f markdown\rselect 1 as one;\r").startswith("| one |")
    assert "experiment, arm, cell, metric" in _type(home, "\\d\r")
    assert "mean,DOUBLE" in _type(home, "\\d cells\r")
    assert "no order \\x" in _type(home, "\\x\r")
    assert "now it is csv" in _type(home, "\\f xml\r")


def test_bounds_and_format_of_the_command_hold_in_the_conversation(home: Home) -> None:
    said: list[str] = []
    Prompt(home, "csv", said.append, most=2).answer("select run from runs;")
    assert len(said[0].splitlines()) == 4
    assert "only the first 2 rows are shown" in said[0]
    with pytest.raises(QueryError, match="no format 'xml'"):
        Prompt(home, "xml", said.append)


def test_fresh_conversation_begins_with_what_was_written_since(tmp_path: Path) -> None:
    made = SyntheticHome(tmp_path)
    collect(made.home)
    made.experiment("paper", {"only": ARMS["original"]}, seeds=(0,))
    said: list[str] = []
    Prompt(made.home, "csv", said.append).answer("select count(*) as n from runs;")
    Prompt(made.home, "csv", said.append, fresh=True).answer("select count(*) as n from runs;")
    assert said == ["n\n0", "n\n1"]


@pytest.mark.parametrize("leave", ["\\q\r", "exit\r", "quit;\r", ""])
def test_leaving_ends_it(home: Home, leave: str) -> None:
    assert "2" not in _type(home, f"{leave}select 1 + 1 as two;\r") if leave else _type(home, "") == ""


def test_what_was_asked_is_kept_in_the_home(home: Home) -> None:
    _type(home, "select 42 as kept;\r")
    assert "select 42 as kept;" in home.sql_history.read_text()
    assert _type(home, "\x10\r") == "kept\n42"


@pytest.mark.parametrize(
    ("text", "some"),
    [("select * from ce", "cells"), ("select test_t", "test_top1"), ("sel", "select"), ("select cells.me", "mean"),
     ("\\f ma", "markdown"), ("\\", "\\d")],
)  # fmt: skip
def test_names_and_words_are_completed(home: Home, text: str, some: str) -> None:
    found = NameCompleter(list_names(home)).get_completions(Document(text), CompleteEvent())
    assert some in [one.text for one in found]


def test_only_tables_come_after_from(home: Home) -> None:
    found = NameCompleter(list_names(home)).get_completions(Document("select * from me"), CompleteEvent())
    assert {one.text for one in found} == {"measurements", "metrics", "metrics_last"}


def test_stdin_that_is_no_terminal_is_the_query(home: Home, tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from engine.cli import app

    answer = CliRunner().invoke(app, ["sql", "--home", str(home.root), "--format", "csv"], input="select 7 as seven")
    assert answer.stdout == "seven\n7\n"


def _completions(home: Home, text: str) -> list[tuple[str, str, int]]:
    found = NameCompleter(list_names(home)).get_completions(Document(text), CompleteEvent())
    return [(one.text, one.display_meta_text, one.start_position) for one in found]


def test_a_completion_takes_the_place_of_what_was_typed_and_says_what_it_is(home: Home) -> None:
    assert sorted(_completions(home, "select cells.me")) == [("mean", "cells", -2), ("metric", "cells", -2)]
    assert ("describe", "SQL", -5) in _completions(home, "DESCR")
    assert ("cells", "table", -3) in _completions(home, "select * from cel")
    assert _completions(home, "\\f ma") == [("markdown", "format", -2)]
    assert ("cells", "table", 0) in _completions(home, "\\d ")
    assert [text for text, _, _ in _completions(home, "\\")] == ["\\d", "\\f", "\\r", "\\?"]


@pytest.mark.parametrize("word", ["from", "join", "describe", "summarize", "pivot"])
def test_tables_alone_come_after_words_that_want_one(home: Home, word: str) -> None:
    assert {about for _, about, _ in _completions(home, f"{word} m")} == {"table"}


def test_a_mistaken_order_says_what_there_is(home: Home) -> None:
    said: list[str] = []
    prompt = Prompt(home, "csv", said.append)
    for order in ("\\d cell", "\\f", "\\?", "\\f json;"):
        prompt.answer(order)
    assert said[0] == "error: there is no table 'cell'; did you mean 'cells'?"
    assert said[1].startswith("error: formats are ")
    assert said[1].endswith("; now it is csv")
    assert [line.split()[0] for line in said[2].splitlines()] == ["\\d", "\\f", "\\r", "\\?", "\\q"]
    assert prompt.style == "json"


def test_ctrl_c_ends_an_answer_and_not_the_conversation(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("engine.cli.sql_prompt.answer_query", interrupted)
    said: list[str] = []
    Prompt(home, "csv", said.append).answer("select 1;")
    assert said == ["stopped"]


def test_an_empty_line_asks_nothing(home: Home) -> None:
    assert _type(home, "\r;\r") == ""


def test_refreshing_takes_in_what_was_written_and_its_names(tmp_path: Path) -> None:
    made = SyntheticHome(tmp_path)
    collect(made.home)
    said: list[str] = []
    prompt = Prompt(made.home, "csv", said.append)
    made.experiment("paper", {"only": ARMS["original"]}, seeds=(0,))
    prompt.answer("\\r")
    prompt.answer("select count(*) as n from runs;")
    assert said == ["what running jobs wrote so far is in", "n\n1"]
