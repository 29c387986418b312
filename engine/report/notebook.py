"""Notebooks: takes the name of an experiment, gives it as a marimo and as a Jupyter notebook, to go on by hand.

Both are written from one list of cells, templates/notebook.cells.j2, in which a line `# %%` begins each. They hold no
numbers: a notebook asks the results when it is run.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import indent

from engine.analysis.snapshot import Snapshot, one_snapshot
from engine.errors import XpError
from engine.home.files import write_atomic
from engine.home.paths import Home
from engine.report.forms.environment import make_environment
from store.escape import escape_markdown

CELL = re.compile(r"^# %%( \[markdown\])?\n", re.MULTILINE)
METRIC, CURVE = "test_top1", "val_top1"
MARIMO = """import marimo

app = marimo.App(width="medium", app_title={title!r})


@app.cell
def _():
    import marimo as mo

    return (mo,)


{cells}

if __name__ == "__main__":
    app.run()
"""


@dataclass(frozen=True)
class Cell:
    """A cell: Markdown, or Python."""

    text: str
    is_code: bool

    @property
    def tree(self) -> ast.Module:
        return ast.parse(self.text if self.is_code else "")

    @property
    def given(self) -> list[str]:
        """The names that other cells may use: what stands at the cell's outermost level."""
        names: list[str] = []
        for node in self.tree.body:
            if isinstance(node, ast.FunctionDef):
                names.append(node.name)
            elif isinstance(node, ast.Import | ast.ImportFrom):
                names += [alias.asname or alias.name.partition(".")[0] for alias in node.names]
            elif isinstance(node, ast.Assign):
                names += [target.id for target in node.targets if isinstance(target, ast.Name)]
        return names

    @property
    def used(self) -> set[str]:
        """The names that it reads, wherever they are from."""
        return {
            node.id for node in ast.walk(self.tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
        }


def write_notebooks(
    results: Home | Snapshot, name: str, out_dir: Path | None = None, *, replaces: bool = False
) -> list[Path]:
    """Write `<name>_notebook.py` (marimo) and `.ipynb` into `out_dir`, by default ./notebook; return where they are.

    Raises QueryError for an unknown experiment, and, unless it `replaces` them, XpError where notebooks are already:
    they may hold a person's own work.
    """
    with one_snapshot(results) as snapshot:
        snapshot.check_experiment(name)
        about = snapshot.ask("report_about", name=name)[0]
        home = snapshot.home.root.resolve()
    title = str(about["title"] or name)
    cells = make_cells(name, title, about["baseline"], home)
    folder = out_dir or Path("notebook")
    # With a word behind the name: a file numpy.py would be found in the place of NumPy.
    written = {folder / f"{name}_notebook{end}": write(cells, title) for end, write in WRITERS.items()}
    there = [path for path in written if path.exists()]
    if there and not replaces:
        fix = "name another folder with -o, or write it anew with --force"
        raise XpError("there is a notebook already, which may hold work of yours", where=str(there[0]), fix=fix)
    folder.mkdir(parents=True, exist_ok=True)
    for path, text in written.items():
        write_atomic(path, text)
    return list(written)


def make_cells(name: str, title: str, baseline: str | None, home: Path) -> list[Cell]:
    """Return the cells of an experiment's notebook; names come as text into Markdown, as literals into Python."""
    environment = make_environment()
    environment.filters |= {"literal": repr, "text": escape_markdown}
    about: Mapping[str, object] = {"name": name, "title": title, "baseline": baseline, "home": str(home)}
    text = environment.get_template("notebook.cells.j2").render(about, metric=METRIC, curve=CURVE)
    _, *parts = CELL.split(text)
    return [Cell(body.strip(), not kind) for kind, body in zip(parts[::2], parts[1::2], strict=True)]


def write_marimo(cells: Sequence[Cell], title: str) -> str:
    """Return a marimo notebook: a function for each cell, of the names that it has from others."""
    given = {name for cell in cells for name in cell.given}
    return MARIMO.format(title=title, cells="\n\n".join(_marimo_cell(cell, given) for cell in cells))


def _marimo_cell(cell: Cell, given: set[str]) -> str:
    if not cell.is_code:
        return f"@app.cell(hide_code=True)\ndef _(mo):\n    mo.md({_long_text(cell.text)})\n    return\n"
    own = cell.given
    taken = ", ".join(sorted(cell.used & given - set(own)))
    handed = f" ({', '.join(own)},)" if own else ""
    return f"@app.cell\ndef _({taken}):\n{indent(cell.text, '    ')}\n    return{handed}\n"


def _long_text(text: str) -> str:
    """Return a text as Python: over its own lines, unless it holds what would end it."""
    return repr(text) if '"""' in text else f'r"""\n{indent(text, "    ")}\n    """'


def write_jupyter(cells: Sequence[Cell], title: str) -> str:
    """Return a Jupyter notebook, of format 4.5."""
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}, "title": title}
    made = [_jupyter_cell(cell, number) for number, cell in enumerate(cells)]
    return json.dumps({"cells": made, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}, indent=1) + "\n"


def _jupyter_cell(cell: Cell, number: int) -> dict[str, object]:
    about: dict[str, object] = {"id": f"cell-{number}", "metadata": {}, "source": cell.text}
    if not cell.is_code:
        return {"cell_type": "markdown", **about}
    return {"cell_type": "code", **about, "execution_count": None, "outputs": []}


WRITERS: dict[str, Callable[[Sequence[Cell], str], str]] = {".py": write_marimo, ".ipynb": write_jupyter}
