"""The small faults that are tried: takes a node of a syntax tree, gives the edits that make it wrong in one way.

The registry at the foot names each kind. A kind says nothing of what tests see; it is what people mistype.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Iterator

from tests.mutants.quiet import WORDS
from tests.mutants.texts import Edit

COMPARED = {
    ast.Lt: ("<", "<="),
    ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.In: ("in", "not in"),
    ast.NotIn: (r"not\s+in", "in"),
    ast.Is: ("is", "is not"),
    ast.IsNot: (r"is\s+not", "is"),
}
SUMS = {
    ast.Add: (r"\+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: (r"\*", "/"),
    ast.Div: ("/", "*"),
    ast.FloorDiv: ("//", "/"),
    ast.Mod: ("%", "*"),
    ast.Pow: (r"\*\*", "*"),
    ast.BitAnd: ("&", "|"),
    ast.BitOr: (r"\|", "&"),
}
SWAPPED = {"min": "max", "max": "min", "any": "all", "all": "any"}


class Place:
    """A source with the byte positions of its nodes."""

    def __init__(self, source: str, needed: dict[str, set[str]]) -> None:
        self.raw = source.encode()
        self.needed = needed
        self._lines = [0]
        for line in self.raw.splitlines(keepends=True):
            self._lines.append(self._lines[-1] + len(line))

    def span(self, node: ast.AST) -> tuple[int, int]:
        """Return where a node begins and ends in the bytes; (0, 0) for one without a position."""
        if not isinstance(node, ast.stmt | ast.expr | ast.keyword | ast.arg) or node.end_lineno is None:
            return 0, 0
        end = self._lines[node.end_lineno - 1] + (node.end_col_offset or 0)
        return self._lines[node.lineno - 1] + node.col_offset, end

    def text(self, node: ast.AST) -> str:
        start, end = self.span(node)
        return self.raw[start:end].decode()

    def whole(self, node: ast.AST, put: str) -> Edit:
        return Edit(*self.span(node), put)

    def without(self, node: ast.AST) -> Edit:
        """Take a node out of a list of arguments, with the comma before it or, for the first, after it."""
        start, end = self.span(node)
        before = self.raw[:start].rstrip()
        if before.endswith(b","):
            return Edit(len(before) - 1, end, "")
        after = re.match(rb"\s*,\s*", self.raw[end:])
        return Edit(start, end + (after.end() if after else 0), "")

    def holds(self, node: ast.AST) -> bool:
        """Whether a node stands where it says; inside f-strings Python 3.11 may be wrong about that."""
        try:
            return ast.dump(ast.parse(self.text(node).strip(), mode="eval").body) == ast.dump(node)
        except (SyntaxError, UnicodeDecodeError):
            return False

    def between(self, left: ast.AST, right: ast.AST, operator: str, put: str) -> Iterator[Edit]:
        """Change the operator that stands between two nodes, whatever brackets and breaks surround it."""
        start, end = self.span(left)[1], self.span(right)[0]
        bare = rf"\b{operator}\b" if operator[0].isalpha() else operator
        found = re.search(bare.encode(), self.raw[start:end])
        if found:
            yield Edit(start + found.start(), start + found.end(), put)


def change_comparison(node: ast.AST, place: Place) -> Iterator[Edit]:
    if isinstance(node, ast.Compare):
        sides = [node.left, *node.comparators]
        for left, right, operator in zip(sides, sides[1:], node.ops, strict=False):
            yield from place.between(left, right, *COMPARED[type(operator)])


def change_logic(node: ast.AST, place: Place) -> Iterator[Edit]:
    if isinstance(node, ast.BoolOp):
        old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        for left, right in zip(node.values, node.values[1:], strict=False):
            yield from place.between(left, right, old, new)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub):
        start = place.span(node)[0]
        word = 3 if isinstance(node.op, ast.Not) else 1
        yield Edit(start, start + word + (place.raw[start + word : start + word + 1] == b" "), "")


def change_sum(node: ast.AST, place: Place) -> Iterator[Edit]:
    """Arithmetic; where a side is text, `+` joins and `/` makes a path, and the change would only be a crash."""
    if isinstance(node, ast.BinOp) and type(node.op) in SUMS and not (_is_text(node.left) or _is_text(node.right)):
        yield from place.between(node.left, node.right, *SUMS[type(node.op)])
    if isinstance(node, ast.AugAssign) and type(node.op) in SUMS and not _is_text(node.value):
        old, new = SUMS[type(node.op)]
        yield from place.between(node.target, node.value, f"{old}=", f"{new}=")


def change_number(node: ast.AST, place: Place) -> Iterator[Edit]:
    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield place.whole(node, str(not node.value))
    elif isinstance(node, ast.Constant) and isinstance(node.value, int):
        yield place.whole(node, str(node.value + 1))
    elif isinstance(node, ast.Constant) and isinstance(node.value, float):
        yield place.whole(node, repr(node.value * 2 or 1.0))


def change_text(node: ast.AST, place: Place) -> Iterator[Edit]:
    """Text that is a key or is compared; text for people is nobody's business."""
    for part in _telling_parts(node):
        inner = part.elts if isinstance(part, ast.Tuple | ast.List | ast.Set) else [part]
        for word in inner:
            if isinstance(word, ast.Constant) and isinstance(word.value, str):
                yield place.whole(word, json.dumps(word.value + "_", ensure_ascii=False))


def force_condition(node: ast.AST, place: Place) -> Iterator[Edit]:
    tests = [node.test] if isinstance(node, ast.If | ast.IfExp) else []
    tests += node.ifs if isinstance(node, ast.comprehension) else []
    for test in tests:
        if not any(isinstance(inner, ast.NamedExpr) for inner in ast.walk(test)):
            yield place.whole(test, "True")
            yield place.whole(test, "False")


def drop_keyword(node: ast.AST, place: Place) -> Iterator[Edit]:
    """Drop a named argument, unless the project knows that the function needs it."""
    if not isinstance(node, ast.Call):
        return
    needed = place.needed.get(_called(node), set())
    for keyword in node.keywords:
        if keyword.arg and keyword.arg not in needed | WORDS:
            yield place.without(keyword)


def drop_call(node: ast.AST, place: Place) -> Iterator[Edit]:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        yield place.whole(node, "pass")


def return_nothing(node: ast.AST, place: Place) -> Iterator[Edit]:
    if isinstance(node, ast.Return) and node.value and not _is_none(node.value):
        yield place.whole(node, "return None")


def swap_builtin(node: ast.AST, place: Place) -> Iterator[Edit]:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in SWAPPED:
        yield place.whole(node.func, SWAPPED[node.func.id])
    if isinstance(node, ast.Call) and _called(node) == "sorted" and node.args:
        inner = place.text(node.args[0])
        yield place.whole(node, f"list{inner}" if isinstance(node.args[0], ast.GeneratorExp) else f"list({inner})")


def drop_bound(node: ast.AST, place: Place) -> Iterator[Edit]:
    for bound in (node.lower, node.upper) if isinstance(node, ast.Slice) else ():
        if bound is not None:
            yield place.whole(bound, "")


def _telling_parts(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.Compare):
        yield from (node.left, *node.comparators)
    if isinstance(node, ast.Dict):
        yield from (key for key in node.keys if key is not None)
    if isinstance(node, ast.Subscript):
        yield node.slice
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("get", "pop"):
        yield from node.args[:1]


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str | bytes))


def _is_none(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


Change = Callable[[ast.AST, Place], Iterator[Edit]]
CHANGES: list[tuple[str, Change]] = [
    ("comparison", change_comparison),
    ("logic", change_logic),
    ("arithmetic", change_sum),
    ("constant", change_number),
    ("text", change_text),
    ("condition", force_condition),
    ("keyword", drop_keyword),
    ("call", drop_call),
    ("return", return_nothing),
    ("builtin", swap_builtin),
    ("slice", drop_bound),
]
