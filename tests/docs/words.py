"""A line of a console -> the commands of xp in it, parsed as the app parses them; nothing is run."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from functools import cache
from itertools import groupby
from typing import Any

from typer.main import get_command

from engine.cli import app

# errors of a click of typer's own, which has no public names
LEFT_OUT = ("MissingParameter", "BadParameter")
# options that act and leave as soon as they are read: --install-completion would write into this person's shell
LEAVING = ("-h", "--help", "--version", "--install-completion", "--show-completion")
ENDS = (";", "&&", "||", "|", "&", ">", ">>")


@cache
def whole_app() -> Any:
    return get_command(app)


def xp_calls(line: str) -> Iterator[list[str]]:
    """Yield the words after `xp` of each call in a line of a shell; comments and other programs are left out."""
    lexer = shlex.shlex(line.replace("\\\n", " "), posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    for is_end, words in groupby(lexer, key=lambda word: word in ENDS):
        call = list(words)
        while call and "=" in call[0] and not call[0].startswith("-"):
            call.pop(0)
        if not is_end and call and call[0] in ("xp", ".venv/bin/xp"):
            yield call[1:]


def parse_call(words: list[str], *, whole: bool = True) -> None:
    """Let the app read the words of a call; what it has not raises its own usage error.

    A call that is not whole, within a sentence, may leave out what it is not about, or say N for a number.
    """
    try:
        _parse_call(words)
    except Exception as error:
        if whole or type(error).__name__ not in LEFT_OUT:
            raise


def _parse_call(words: list[str]) -> None:
    command: Any = whole_app()
    if words and words[0] in LEAVING:
        return
    context = command.make_context("xp", list(words), resilient_parsing=False)
    while hasattr(command, "commands"):
        rest = [*context._protected_args, *context.args]
        if not rest:
            return
        name, command, rest = command.resolve_command(context, rest)
        context = command.make_context(name, list(rest), parent=context)
