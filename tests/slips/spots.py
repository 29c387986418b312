"""Where words stand: takes a text that is YAML, gives each key with its value, as paths and offsets into the text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from engine.load.yaml_nodes import compose_nodes


@dataclass(frozen=True)
class Spot:
    """One key (none for an entry of a list) and its value: where they begin and end in the text."""

    path: tuple[str | int, ...]
    key: tuple[int, int] | None
    value: tuple[int, int]
    kind: str
    """scalar, list, mapping"""
    tag: str
    is_flow: bool
    """Whether it stands in {braces} or [brackets]."""

    @property
    def start(self) -> int:
        return self.key[0] if self.key else self.value[0]

    @property
    def name(self) -> str:
        return str(self.path[-1])


def find_spots(text: str) -> list[Spot]:
    root = compose_nodes(text, "spec.yaml")
    return list(_walk(root, (), False)) if root is not None else []


def line_of(text: str, at: int) -> int:
    """Return the line of an offset, from 1."""
    return text.count("\n", 0, at) + 1


def offset_of(text: str, line: int, column: int) -> int:
    """Return the offset of a line and column, both from 1."""
    return sum(len(one) for one in text.splitlines(keepends=True)[: line - 1]) + column - 1


def _walk(node: Node, path: tuple[str | int, ...], is_flow: bool) -> Iterator[Spot]:
    inner_flow = is_flow or bool(getattr(node, "flow_style", False))
    if isinstance(node, MappingNode):
        for key, value in node.value:
            here = (*path, str(key.value))
            yield _spot(here, (key.start_mark.index, key.end_mark.index), value, inner_flow)
            yield from _walk(value, here, inner_flow)
    elif isinstance(node, SequenceNode):
        for at, item in enumerate(node.value):
            yield _spot((*path, at), None, item, inner_flow)
            yield from _walk(item, (*path, at), inner_flow)


def _spot(path: tuple[str | int, ...], key: tuple[int, int] | None, value: Node, is_flow: bool) -> Spot:
    kinds = {ScalarNode: "scalar", SequenceNode: "list", MappingNode: "mapping"}
    kind = next(word for node, word in kinds.items() if isinstance(value, node))
    ends = (value.start_mark.index, value.end_mark.index)
    return Spot(path, key, ends, kind, str(value.tag).rpartition(":")[2], is_flow)
