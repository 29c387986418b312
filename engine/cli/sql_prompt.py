"""`xp sql` without a query: takes queries as a person types them, gives their answers until they leave.

A query may go over several lines and ends with `;`. Tab completes tables, columns and SQL; the arrow keys bring back
what was asked in this home before. A line that begins with a backslash is an order to the prompt itself (ORDERS).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from textwrap import fill

from prompt_toolkit import PromptSession
from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.input import Input
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.output import Output

from engine.analysis.query import ROWS, SECONDS, answer_query, check_format, list_names
from engine.errors import XpError, closest_hint
from engine.home.paths import Home
from store.format import FORMATS

WORDS = (
    "select", "from", "where", "group by", "order by", "having", "limit", "join", "left join", "using", "on", "as",
    "and", "or", "not", "in", "is null", "is not null", "between", "like", "distinct", "with", "union all", "case",
    "when", "then", "else", "end", "asc", "desc", "filter", "over", "partition by", "qualify", "pivot", "unpivot",
    "describe", "summarize", "show tables", "explain", "count(*)", "avg", "min", "max", "sum", "median", "stddev_samp",
    "quantile_cont", "arg_max", "arg_min", "list", "round", "coalesce", "string_agg", "row_number", "cast",
)  # fmt: skip
WELCOME = "A query ends with ; and may take several lines. Tab completes, \\d lists the tables, \\? helps, \\q leaves."
LEAVE = frozenset({"\\q", "quit", "exit", "quit;", "exit;"})
TABLES_WANTED = re.compile(r"(from|join|describe|summarize|pivot)\s+(\w*)$", re.IGNORECASE)
Say = Callable[[str], None]


class NameCompleter(Completer):
    """Completes orders after a backslash, tables after `from`, columns after `table.`, and else anything."""

    def __init__(self, names: Mapping[str, list[str]]) -> None:
        self.names = names

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        before = document.text_before_cursor
        if before.lstrip().startswith("\\"):
            return _matching(before.split()[-1] if before[-1:].strip() else "", self._order_words(before))
        owner = re.search(r"(\w+)\.(\w*)$", before)
        if owner and owner[1] in self.names:
            return _matching(owner[2], dict.fromkeys(self.names[owner[1]], owner[1]))
        word = re.search(r"\w*$", before)
        tables = dict.fromkeys(self.names, "table")
        if TABLES_WANTED.search(before):
            return _matching(word[0] if word else "", tables)
        columns = {column: table for table, names in self.names.items() for column in names}
        return _matching(word[0] if word else "", columns | tables | dict.fromkeys(WORDS, "SQL"))

    def _order_words(self, before: str) -> dict[str, str]:
        first, *rest = before.split() or ["\\"]
        if not rest and before[-1:].strip():
            return {name: about for name, (about, _) in ORDERS.items()}
        return dict.fromkeys(FORMATS, "format") if first == "\\f" else dict.fromkeys(self.names, "table")


class Prompt:
    """One conversation: the home that is asked, the format and the bounds of its answers, and where they go."""

    def __init__(
        self, home: Home, style: str, say: Say, *, fresh: bool = False, most: int = ROWS, seconds: float = SECONDS
    ) -> None:
        check_format(style)
        self.home, self.style, self.say = home, style, say
        self.most, self.seconds = most, seconds
        self.names = list_names(home, fresh=fresh)

    def run(self, source: Input | None = None, sink: Output | None = None) -> None:
        """Ask until the person leaves (\\q or Ctrl-D). Ctrl-C drops the line that is being typed."""
        session: PromptSession[str] = PromptSession(
            multiline=True, key_bindings=_bind_enter(), completer=NameCompleter(self.names),
            history=_open_history(self.home), auto_suggest=AutoSuggestFromHistory(),
            complete_while_typing=False, prompt_continuation="  > ", input=source, output=sink,
        )  # fmt: skip
        self.say(WELCOME)
        while True:
            try:
                text = session.prompt("xp> ").strip()
            except KeyboardInterrupt:
                continue
            except EOFError:
                return
            if text.lower() in LEAVE:
                return
            if text.strip("; \n"):
                self.answer(text)

    def answer(self, text: str) -> None:
        """Answer one query or order; a mistake is said and ends nothing."""
        try:
            if text.startswith("\\"):
                self._obey(text)
                return
            rows, note = answer_query(self.home, text, self.style, most=self.most, seconds=self.seconds)
        except XpError as error:
            self.say(f"error: {error.what}")
            return
        except KeyboardInterrupt:
            self.say("stopped")
            return
        self.say(rows + (f"\n{note}" if note else ""))

    def _obey(self, text: str) -> None:
        order, *words = text.rstrip(";").split()
        if order not in ORDERS:
            raise XpError(f"there is no order {order}; \\? shows which there are")
        ORDERS[order][1](self, words)

    def choose_format(self, words: list[str]) -> None:
        if not words or words[0] not in FORMATS:
            raise XpError(f"formats are {', '.join(FORMATS)}; now it is {self.style}")
        self.style = words[0]

    def show_names(self, words: list[str]) -> None:
        if not words:
            for table, columns in sorted(self.names.items()):
                self.say(fill(f"{table}: {', '.join(columns)}", 110, subsequent_indent="    "))
        elif words[0] in self.names:
            self.answer(f'describe "{words[0]}"')
        else:
            raise XpError(f"there is no table {words[0]!r}; {closest_hint(words[0], self.names)}")

    def refresh(self, words: list[str]) -> None:
        # Any query will do: what counts is the collection before it.
        answer_query(self.home, "select 1", "csv", fresh=True)
        self.names.update(list_names(self.home))
        self.say("what running jobs wrote so far is in")

    def help(self, words: list[str]) -> None:
        self.say(
            "\n".join(f"{name:<4} {about}" for name, (about, _) in ORDERS.items()) + "\n\\q   leave, as Ctrl-D does"
        )


def _open_history(home: Home) -> History:
    """Keep what is typed in the home, where it can be written."""
    return FileHistory(str(home.sql_history)) if os.access(home.root, os.W_OK) else InMemoryHistory()


def _matching(word: str, known: Mapping[str, str]) -> Iterable[Completion]:
    return [
        Completion(name, start_position=-len(word), display_meta=about)
        for name, about in known.items()
        if name.lower().startswith(word.lower())
    ]


def _bind_enter() -> KeyBindings:
    """Enter sends what is a whole query, an order or nothing, and else begins a new line."""
    keys = KeyBindings()

    @keys.add("enter")
    def _(event: KeyPressEvent) -> None:
        text = event.current_buffer.text.strip()
        if not text or text.endswith(";") or text.startswith("\\") or text.lower() in LEAVE:
            event.current_buffer.validate_and_handle()
        else:
            event.current_buffer.insert_text("\n")

    return keys


ORDERS: dict[str, tuple[str, Callable[[Prompt, list[str]], None]]] = {
    "\\d": ("tables and their columns; \\d TABLE: its types", Prompt.show_names),
    "\\f": (f"the format of answers: {', '.join(FORMATS)}", Prompt.choose_format),
    "\\r": ("take in what running jobs wrote", Prompt.refresh),
    "\\?": ("these orders", Prompt.help),
}
