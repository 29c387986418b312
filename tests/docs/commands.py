"""The app -> docs/commands.md: every command with its help, arguments and options, as the app itself has them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from typer.main import get_command

from engine.cli import app

HEAD = """\
# Commands

What `xp COMMAND --help` says, of every command. `--home DIR` may stand before any command. This page is made by
`python -m tests.docs commands`. How to write an ID, and what the exit codes mean: [Files and exit codes](files.md).
"""


def commands_page() -> str:
    found = sorted(all_commands(get_command(app)))
    index = ", ".join(f"[{name}](#{anchor(name)})" for name, _ in found)
    return "\n".join((HEAD, index, *(line for name, command in found for line in _command_lines(name, command)))) + "\n"


def all_commands(command: Any, head: str = "xp") -> Iterator[tuple[str, Any]]:
    """Yield each command that does something, under its whole name; hidden ones not."""
    if not hasattr(command, "commands"):
        yield head, command
        return
    if command.callback is not None and command.invoke_without_command:
        yield head, command
    for name, below in command.commands.items():
        if not below.hidden:
            yield from all_commands(below, f"{head} {name}")


def parameters(command: Any) -> list[Any]:
    return [one for one in command.params if one.name != "help" and not getattr(one, "hidden", False)]


def anchor(name: str) -> str:
    return name.replace(" ", "-")


def _command_lines(name: str, command: Any) -> Iterator[str]:
    yield f"\n## {name}\n"
    yield _prose(command.help or "")
    known = parameters(command)
    if known:
        yield "\n| word | what it is | default |\n|---|---|---|"
        yield from (_row(one) for one in known)


def _prose(text: str) -> str:
    """Draw the paragraphs of a help; its examples are a block of their own."""
    told = []
    for paragraph in text.replace("\b", "").strip().split("\n\n"):
        head, _, rest = paragraph.strip().partition("\n")
        if head == "Examples:":
            told.append("```\n" + "\n".join(line.strip() for line in rest.splitlines()) + "\n```")
        else:
            told.append(" ".join(paragraph.split()))
    return "\n\n".join(told)


def _row(one: Any) -> str:
    is_option = one.param_type_name == "option"
    metavar = "" if getattr(one, "is_flag", False) else one.metavar or one.name.upper()
    names = ", ".join([*one.opts, *one.secondary_opts]) if is_option else ""
    word = f"{names} {metavar}".strip() if is_option else metavar
    default = one.default
    shown = f"`{default}`" if is_option and isinstance(default, str | int | float) and default is not False else ""
    must = "must be given" if one.required else ""
    return f"| `{word}` | {_cell(one.help or '')} | {shown or must} |"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
