"""Texts that stand in code and templates: takes files, gives those that are long enough to be a sentence."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

LEAST_WORDS = 5
WORD = re.compile(r"[A-Za-z]{2,}")


def is_sentence(text: str) -> bool:
    """Whether a reader would take it for a statement: five words or more with nothing but spaces and marks between."""
    return len(WORD.findall(text)) >= LEAST_WORDS and " " in text


def pattern(sentence: str) -> str:
    """Return what finds a sentence with any values."""
    return ".*".join(map(re.escape, re.split(r"\{[^}]*\}", sentence)))


def stray_sentences(file: Path) -> list[str]:
    """Return the sentences of a module: not docstrings, nor the catalogue, nor what an error says."""
    tree = ast.parse(file.read_text())
    return [text for text in _texts(tree) if is_sentence(text)]


def _texts(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Raise) or _is_error(node) or _is_catalogue(node):
        return
    if isinstance(node, ast.JoinedStr):
        yield "".join(str(part.value) if isinstance(part, ast.Constant) else " _ " for part in node.values)
        return
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    for child in ast.iter_child_nodes(node):
        if not (isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant)):  # a docstring
            yield from _texts(child)


def _is_error(node: ast.AST) -> bool:
    """Whether it makes an error, or names what one says in a variable of that name."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return node.func.id.endswith("Error")
    names = [one.id for one in node.targets if isinstance(one, ast.Name)] if isinstance(node, ast.Assign) else []
    return names in (["fix"], ["what"])


def _is_catalogue(node: ast.AST) -> bool:
    named = isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    return named and node.targets[0].id == "SENTENCES"  # type: ignore[attr-defined]  # looked at above


def template_sentences(file: Path) -> list[str]:
    """Return the sentences that a template says by itself: no tags, no marks of Jinja, no lines that LaTeX skips."""
    text = re.sub(r"\{\{.*?\}\}|\{%.*?%\}|<[^>]*>|^%.*$", "\n", file.read_text(), flags=re.DOTALL | re.MULTILINE)
    return [line.strip() for line in text.splitlines() if is_sentence(line)]
