"""YAML with positions: takes a file or a text, gives a plain tree and where each key and value stands.

Tags are refused, duplicate keys too, what reads as a number and is none, and texts that are not printable Unicode.
Dates are texts, as in YAML 1.2.
"""

from __future__ import annotations

import errno
import os
import re
import select
import shlex
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from engine.errors import SpecError
from engine.home.limits import limits, raise_limit
from engine.load.yaml_nodes import compose_nodes, mark_position, one_problem, refuse_tabs
from store.escape import find_unprintable

Path = tuple[str | int, ...]
STANDARD = "tag:yaml.org,2002:"
MERGE, SEQUENCE, MAPPING = f"{STANDARD}merge", f"{STANDARD}seq", f"{STANDARD}map"
PIPE_SECONDS = 10.0  # for whoever writes a spec into a pipe to begin
BEGINNINGS = {
    "a spec": "begin with name: my_experiment, then data: and student:; see specs/quickstart.yaml",
    "an overlay": "write what is to lie over the spec, such as `train: {epochs: 1}`, or leave --overlay away",
}
WIDE_MARKS = (b"\xff\xfe", b"\xfe\xff")  # what UTF-16 and UTF-32 begin with


@dataclass(frozen=True)
class Document:
    """A parsed file: the plain tree, and `file:line:column` for the key and the value at each path."""

    tree: dict[str, Any]
    keys: dict[Path, str] = field(default_factory=dict)
    values: dict[Path, str] = field(default_factory=dict)


def read_document(file: FilePath, kind: str = "a spec") -> Document:
    """Read one YAML mapping, `kind` of file. Raises SpecError with the position for anything that is none."""
    try:
        raw = _read_start(file, limits().yaml_bytes + 1)
    except OSError as error:
        raise one_problem(f"{file}:1:1", *_explain_unread(file, error)) from error
    if len(raw) > (most := limits().yaml_bytes):
        raise one_problem(f"{file}:1:1", f"the file is larger than {most:,} bytes", raise_limit("yaml_bytes"))
    return parse_document(_decoded(raw, file), str(file), kind)


def _explain_unread(file: FilePath, error: OSError) -> tuple[str, str]:
    """Return why a file cannot be read, and the fix."""
    if os.path.islink(file) and not os.path.exists(file):
        return "this link leads to no file", f"make it again, or name another: {_near_files(file)}"
    fix = f"make it readable: chmod u+r {shlex.quote(str(file))}" if error.errno == errno.EACCES else _near_files(file)
    return f"cannot read the file: {error.strerror}", fix


def _read_start(file: FilePath, most: int) -> bytes:
    """Return the first bytes of a file or of a pipe, as of `xp validate <(...)`; nobody may ever write into a pipe."""
    # Not blocking: to open a pipe would wait for whoever writes.
    with os.fdopen(os.open(file, os.O_RDONLY | os.O_NONBLOCK), "rb") as handle:
        mode = os.fstat(handle.fileno()).st_mode
        if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
            raise OSError(errno.ENODEV, "it is a device")
        if stat.S_ISFIFO(mode):
            if not select.select([handle], (), (), PIPE_SECONDS)[0]:
                raise OSError(errno.ETIMEDOUT, f"nobody has written into this pipe for {PIPE_SECONDS:.0f} s")
            os.set_blocking(handle.fileno(), True)
        return handle.read(most)


def _decoded(raw: bytes, file: FilePath) -> str:
    """Return a file's bytes as text with the line breaks of YAML."""
    if raw[:4].count(0) >= 2:  # letters of two or four bytes, without a mark
        fix = f"save it as UTF-8{_wide_kind(raw)}"
        raise one_problem(f"{file}:1:1", "the file is not UTF-8 text", fix)
    try:
        return re.sub("\r\n?", "\n", raw.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        before = error.object[: error.start]
        where = f"{file}:{before.count(10) + 1}:{len(before[before.rfind(10) + 1 :].decode()) + 1}"
        raise one_problem(where, "the file is not UTF-8 text", f"save it as UTF-8{_wide_kind(raw)}") from error


def _wide_kind(raw: bytes) -> str:
    if raw.startswith(WIDE_MARKS) or raw[:4].count(0) >= 2:
        return f" (it looks like UTF-{32 if raw[:4].count(0) >= 2 and raw[:8].count(0) >= 5 else 16})"
    return ""


def parse_document(text: str, name: str, kind: str = "a spec") -> Document:
    """Parse YAML text; `name` stands for the file in positions, `kind` for what it is."""
    refuse_tabs(text, name)
    root = compose_nodes(text, name)
    if not isinstance(root, MappingNode):
        raise one_problem(f"{name}:1:1", f"{kind} is one YAML mapping", BEGINNINGS[kind])
    reader = NodeReader(name, Document({}))
    reader.document.tree.update(reader.plain(root, ()))
    return reader.document


def parse_value(text: str) -> Any:
    """Parse one value as YAML would inside a spec: `3`, `1e-3`, `null`, `[1, 2]`, a word."""
    if not text.strip():
        return ""
    try:
        root = compose_nodes(text, "")
        return NodeReader("", Document({})).plain(root, ()) if root is not None else None
    except SpecError as error:
        if not error.what.startswith("this is not YAML"):
            raise one_problem("--set", f"the value {_shortened(text)}: {error.what}", error.fix) from error
        fix = "quote the value as YAML would need it, for instance --set 'title=\"a: b\"'"
        raise one_problem("--set", f"the value {_shortened(text)} is not YAML", fix) from error


@dataclass(frozen=True)
class Entry:
    """A key's node, or the `<<` that brings it, and its value's."""

    key: Node
    value: Node


@dataclass(frozen=True)
class NodeReader:
    """Makes plain values of nodes, and writes down the position of everything on the way."""

    name: str
    document: Document

    def plain(self, node: Node, path: Path) -> Any:
        if isinstance(node, ScalarNode):
            return self._scalar(node)
        if str(node.tag) != (MAPPING if isinstance(node, MappingNode) else SEQUENCE):
            raise self._refuse_tag(node)
        if isinstance(node, MappingNode):
            entries = self._entries(node).items()
            return {key: self._child(entry.key, entry.value, (*path, key)) for key, entry in entries}
        return [self._child(item, item, (*path, index)) for index, item in enumerate(node.value)]

    def _child(self, key: Node, value: Node, path: Path) -> Any:
        self.document.keys[path] = mark_position(key.start_mark, self.name)
        self.document.values[path] = mark_position(value.start_mark, self.name)
        return self.plain(value, path)

    def _entries(self, node: MappingNode) -> dict[str, Entry]:
        """Return a mapping's own keys, then those that `<<` merges in and it does not give itself."""
        own: dict[str, Entry] = {}
        for key, value in node.value:
            text = MERGE if str(key.tag) == MERGE else self._key_text(key)
            if text in own:
                raise self._given_twice("<<" if text is MERGE else text, key, node)
            own[text] = Entry(key, value)
        if (merge := own.pop(MERGE, None)) is not None:
            for text, entry in self._merged(merge.value):
                own.setdefault(text, Entry(merge.key, entry.value))
        return own

    def _merged(self, value: Node) -> Iterator[tuple[str, Entry]]:
        """Yield what `<<` brings, the first of several sources first."""
        for source in value.value if isinstance(value, SequenceNode) else [value]:
            if not isinstance(source, MappingNode) or str(source.tag) != MAPPING:
                what, fix = "`<<` merges mappings, and this is none", "write <<: *name, or <<: [*one, *other]"
                raise one_problem(mark_position(source.start_mark, self.name), what, fix)
            yield from self._entries(source).items()

    def _key_text(self, key: Node) -> str:
        if not isinstance(key, ScalarNode):
            fix = "write one word before the colon; {braces} and [brackets] belong after it"
            raise one_problem(mark_position(key.start_mark, self.name), "a key is a word", fix)
        if not str(key.tag).startswith(STANDARD):
            raise self._refuse_tag(key)
        return self._text(key)

    def _scalar(self, node: ScalarNode) -> Any:
        tag = str(node.tag)
        kind = tag.removeprefix(STANDARD)
        if not tag.startswith(STANDARD) or kind not in (*READERS, *TEXTS):
            raise self._refuse_tag(node)
        if kind not in READERS:
            return self._text(node)
        word, read = READERS[kind]
        try:
            return read(str(node.value))
        except (ValueError, KeyError) as error:
            where = mark_position(node.start_mark, self.name)
            raise one_problem(where, f"{_shortened(node.value)} is no {word}", _scalar_fix(node, word)) from error

    def _text(self, node: ScalarNode) -> str:
        """A text is printable Unicode, tabs and line breaks: what no terminal, file name or database stumbles over."""
        text, where = str(node.value), mark_position(node.start_mark, self.name)
        if len(text) > limits().text_characters:
            what = f"this text has {len(text):,} characters, more than {limits().text_characters:,}"
            raise one_problem(where, what, raise_limit("text_characters"))
        if sign := find_unprintable(text):
            what = f"this text holds the character {sign}, which is not printable"
            raise one_problem(where, what, "leave it out: a text is letters, signs and spaces in their order")
        return text

    def _refuse_tag(self, node: Node) -> SpecError:
        tag = str(node.tag).replace(STANDARD, "!!")
        where = mark_position(node.start_mark, self.name)
        return one_problem(
            where, f"the tag {_shortened(tag)} means nothing in a spec", f"remove the tag {_shortened(tag)}"
        )

    def _given_twice(self, text: str, key: Node, node: MappingNode) -> SpecError:
        what = (
            f"the key {_shortened(text)} is given twice (it stands in the mapping of line {node.start_mark.line + 1})"
        )
        return one_problem(mark_position(key.start_mark, self.name), what, "keep one of the two lines, or rename one")


def _read_int(text: str) -> int:
    """Read the whole numbers of YAML 1.2: 12, 1_000, 0x1f, 0o17, 0b11; of not too many digits."""
    plain = text.replace("_", "")
    if len(plain) > limits().number_digits:
        raise ValueError("no setting needs so many digits")
    sign, digits = (-1 if plain[:1] == "-" else 1), plain.lstrip("+-")
    return sign * int(digits, BASES.get(digits[:2], 10))


def _read_float(text: str) -> float:
    return float(text.replace("_", "").lower().replace(".inf", "inf").replace(".nan", "nan"))


def _scalar_fix(node: ScalarNode, word: str) -> str:
    if word == "number" and len(node.value) > limits().number_digits:
        return f"use {limits().number_digits} digits at most; {raise_limit('number_digits')}"
    return f'write a {word}, or "{node.value[:60]}" in quotes where a text is meant'


def _shortened(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")


def _near_files(file: FilePath) -> str:
    folder = next((place for place in (file, file.parent) if os.path.isdir(place)), FilePath())
    near = sorted(str(path) for path in folder.glob("*.y*ml") if not path.name.startswith("_") and path.is_file())
    return f"there are {', '.join(near[:8])}" if near else "give the path of a spec; `xp init` lays some out"


TEXTS = ("str", "value", "merge", "timestamp")
BASES = {"0x": 16, "0o": 8, "0b": 2}
# how a scalar is read, by the tag that its text resolves to; words are for the person
READERS: dict[str, tuple[str, Any]] = {
    "int": ("number", _read_int),
    "float": ("number", _read_float),
    "bool": ("truth value", lambda text: {"true": True, "false": False}[text.lower()]),
    "null": ("null", lambda text: None),
}
