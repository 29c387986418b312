"""The commands, each made when it is wanted: takes a name, imports its file, gives the command with its whole help.

`xp --help` shows the lines of `guide.py` and imports none of the files; any other start imports one of them.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup
from typer.main import get_command, get_command_name

from engine.cli.guide import GUIDE, Entry
from engine.errors import near_words

LABELS = {bool: "", str: "TEXT", int: "NUMBER", float: "NUMBER"}


class LazyCommands(MutableMapping[str, Any]):
    """The commands of an app by name, in the order of the guide; those of files that are imported come after it."""

    def __init__(self, app: typer.Typer) -> None:
        self.app, self.made = app, dict[str, Any]()

    def __getitem__(self, name: str) -> Any:
        if name not in self.made:
            if name not in GUIDE and name not in self._registered():
                raise KeyError(name)
            self.made[name] = _make_command(self.app, name)
        return self.made[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self.made[name] = command

    def __delitem__(self, name: str) -> None:
        del self.made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys((*GUIDE, *self._registered(), *self.made)))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _registered(self) -> list[str]:
        groups = [str(group.name) for group in self.app.registered_groups]
        return [*map(_own_name, self.app.registered_commands), *groups]


class PlainCommand(TyperCommand):
    """A command whose help names no types of Python."""

    def get_help_option(self, ctx: Any) -> Any:
        return _without_type(super().get_help_option(ctx))


class PlainGroup(TyperGroup):
    """The same of a group."""

    def get_help_option(self, ctx: Any) -> Any:
        return _without_type(super().get_help_option(ctx))


class FlowGroup(PlainGroup):
    """All commands of xp: they are grouped by the flow of the work, and a slip in a name is understood."""

    app: typer.Typer

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = LazyCommands(self.app)
        _tidy(self.params)

    def get_params(self, ctx: Any) -> list[Any]:
        """Completion's options come after the others are there."""
        return _tidy(super().get_params(ctx))

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Show names and lines, for which no command has to be made."""
        whole, self.commands = self.commands, {name: _stand_in(name, entry) for name, entry in GUIDE.items()}
        try:
            super().format_help(ctx, formatter)
        finally:
            self.commands = whole

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        whole, self.commands = self.commands, {name: _stand_in(name, entry) for name, entry in GUIDE.items()}
        try:
            return super().shell_complete(ctx, incomplete)
        finally:
            self.commands = whole

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Find the command; of a word that is none, say which are near, by their letters or by what they do."""
        if args and args[0] not in self.commands and not args[0].startswith("-") and not ctx.resilient_parsing:
            ctx.fail(f"There is no command {args[0]!r}. {suggest_command(args[0])}")
        return super().resolve_command(ctx, args)


def suggest_command(word: str) -> str:
    """Return the commands that a word may have meant."""
    other = OTHERS.get(word.lower())
    near = [other] if other else near_words(word, tuple(GUIDE))
    return f"Did you mean {' or '.join(near)}?" if near else "xp --help lists them."


def _own_name(info: Any) -> str:
    return str(info.name or get_command_name(info.callback.__name__))


def _stand_in(name: str, entry: Entry) -> TyperCommand:
    """A command as a list of commands shows it."""
    return TyperCommand(name, help=entry.line, rich_help_panel=entry.panel)


def _make_command(app: typer.Typer, name: str) -> Any:
    entry = GUIDE.get(name)
    if entry is not None:
        import_module(f"engine.cli.{entry.module}")
    for group in app.registered_groups:
        if group.name == name and group.typer_instance is not None:
            return _make_group(group.typer_instance, name, entry)
    # An app of one command is that command.
    alone = typer.Typer(pretty_exceptions_enable=False, add_completion=False)
    alone.registered_commands = [info for info in app.registered_commands if _own_name(info) == name]
    alone.registered_commands[0].cls = PlainCommand
    return _finish(get_command(alone), entry)


def _make_group(app: typer.Typer, name: str, entry: Entry | None) -> Any:
    for info in app.registered_commands:
        info.cls = PlainCommand
    made: Any = get_command(app)
    made.name = name
    if entry is not None:
        made.rich_help_panel = entry.panel
        for inner, command in made.commands.items():
            _finish(command, entry.inner.get(inner))
    return made


def _finish(command: Any, entry: Entry | None) -> Any:
    """Complete a command's help, and show its words without the names of types that Python has."""
    if entry is not None:
        command.help, command.rich_help_panel = entry.help_text(command.help or ""), entry.panel
    _tidy(command.params)
    return command


def _tidy(params: list[Any]) -> list[Any]:
    """Let options show what they take in words, and arguments nothing: their names say it."""
    for param in params:
        if isinstance(param, TyperArgument):
            vars(param)["display_type_rich"] = _no_type
        elif param.metavar is None:
            param.metavar = "" if param.is_flag else LABELS.get(param.type_descriptor.annotation, "PATH")
        if getattr(param, "multiple", False) and "repeatable" not in (param.help or ""):
            param.help = f"{param.help or ''}; repeatable".removeprefix("; ")
    return params


def _without_type(option: Any) -> Any:
    if option is not None:
        option.metavar = ""
    return option


def _no_type(ctx: Any) -> None:
    """An argument's name says what it is."""


# What other tools call it.
OTHERS = {
    "run": "submit", "start": "submit", "launch": "submit", "train": "submit", "dryrun": "plan", "estimate": "plan",
    "check-spec": "validate", "lint": "validate", "list": "ls", "show": "status", "ps": "status", "queue": "status",
    "watch": "status", "log": "logs", "tail": "logs", "stop": "cancel", "kill": "cancel", "abort": "cancel",
    "rerun": "retry", "restart": "retry", "continue": "resume", "unpause": "resume", "hold": "pause", "query": "sql",
    "select": "sql", "db": "sql", "remove": "rm", "delete": "rm", "prune": "gc", "clean": "gc", "restore": "undo",
    "disk": "du", "size": "du", "dashboard": "serve", "ui": "serve", "web": "serve", "table": "report",
    "tables": "report", "paper": "report", "test": "compare", "claims": "check", "provenance": "trace",
    "benchmark": "bench", "time": "bench", "infer": "predict", "classify": "predict", "onnx": "export",
    "bundle": "archive", "zip": "archive", "new": "init", "create": "init", "env": "doctor", "info": "doctor",
    "scheduler": "worker", "tags": "tag", "notes": "note", "lookup": "explain", "help": "explain", "docs": "explain",
    "fields": "explain", "layers": "describe", "model": "describe", "repair": "rebuild", "fix": "doctor",
}  # fmt: skip
