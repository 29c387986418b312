"""Notebooks of an experiment: run as their reader runs them, they say what the results say."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from engine.collect import collect
from engine.errors import QueryError, XpError
from engine.home.paths import Home
from engine.report.notebook import Cell, make_cells, write_marimo, write_notebooks
from store.results import open_snapshot
from tests.helpers.packages import has
from tests.helpers.synthetic import ARMS, Arm, SyntheticHome

ROOT = Path(__file__).parents[2]
TITLE = 'An "étude" of <script>alert(1)</script> \'\'\' """ $x$ {{7}} \\ 研究\n# %%\nimport os'
ODD = {"original": Arm(), "qu\"o'te": Arm(0.7), "<b>$x_1$</b>": Arm(0.65), "研究 \\ {0}": Arm(0.5)}
ASK = """
import importlib.util, json, sys
about = importlib.util.spec_from_file_location("notebook", sys.argv[1])
module = importlib.util.module_from_spec(about)
about.loader.exec_module(module)
outputs, given = module.app.run()
kept = {name: json.loads(given[name].to_json(orient="records")) for name in ("by_arm", "curves", "compared")}
print(json.dumps({**kept, "shown": [type(one).__name__ for one in outputs]}))
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    made = SyntheticHome(tmp_path_factory.mktemp("home") / "qu'o\"te é <b>")
    made.experiment("study", ARMS, title=TITLE)
    made.experiment("odd", ODD)
    collect(made.home)
    return made.home


def surroundings(folder: Path) -> dict[str, str]:
    """Variables under which a fresh Python finds xp.py as an installation has it."""
    shutil.copy(ROOT / "engine" / "api" / "xp.py", folder / "xp.py")
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)]), "MPLBACKEND": "agg"}


def read_valid(path: Path) -> Any:
    """Return a notebook as Jupyter reads it; raises where it is none."""
    import nbformat

    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]  # nbformat gives it no types
    nbformat.validate(notebook)
    return notebook


@has("marimo", "pandas")
def test_a_marimo_notebook_says_what_results_say(home: Home, tmp_path: Path) -> None:
    script = write_notebooks(home, "odd", tmp_path)[0]
    about = surroundings(tmp_path)
    told = subprocess.run([sys.executable, "-c", ASK, script], capture_output=True, text=True, env=about, check=True)
    found: dict[str, Any] = json.loads(told.stdout)
    with open_snapshot(home) as db:
        means = db.execute("select arm, mean from cells where experiment = 'odd' and metric = 'test_top1'").fetchall()
    assert {row["arm"]: round(row["mean"], 6) for row in found["by_arm"]} == {arm: round(m, 6) for arm, m in means}
    assert found["by_arm"][0]["arm"] == "original", "the baseline stands first"
    assert len(found["curves"]) == 4 * 3 * 3  # arms, seeds, epochs
    assert {row["arm"] for row in found["compared"]} == set(ODD) - {"original"}
    higher = next(row for row in found["compared"] if row["arm"] == "qu\"o'te")
    assert higher["difference"] > 0
    assert found["shown"].count("Figure") == 2


@pytest.mark.slow  # 5 s: a kernel starts
@has("nbclient", "nbformat", "ipykernel", "pandas")
def test_a_jupyter_notebook_runs(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from nbclient import NotebookClient

    monkeypatch.setenv("PYTHONPATH", surroundings(tmp_path)["PYTHONPATH"])
    monkeypatch.delenv("MPLBACKEND", raising=False)  # a kernel chooses its own
    notebook = read_valid(write_notebooks(home, "study", tmp_path)[1])
    NotebookClient(notebook, timeout=200).execute()
    shown = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    assert {one.output_type for one in shown} == {"execute_result"}, "no warning, and no figure twice"
    assert sum("image/png" in one.data for one in shown) == 2
    assert any("proposed_pruned" in one.data.get("text/html", "") for one in shown)


@has("nbformat")
def test_a_jupyter_notebook_is_one(home: Home, tmp_path: Path) -> None:
    notebook = read_valid(write_notebooks(home, "study", tmp_path)[1])
    assert notebook.cells[0].source.startswith("# An \"étude\" of &lt;script>alert(1)&lt;/script> ''' ")


def test_both_hold_the_same_cells(home: Home, tmp_path: Path) -> None:
    script, jupyter = (path.read_text() for path in write_notebooks(home, "study", tmp_path))
    for cell in json.loads(jupyter)["cells"]:
        last = cell["source"].splitlines()[-1].strip()
        assert last in script or repr(last)[1:-1] in script


def test_names_are_only_names() -> None:
    cells = make_cells("study", TITLE, "a'b", Path('/tmp/it\'s "here"\n'))
    assert [cell for cell in cells if "import os" in cell.text] == cells[:1]
    assert cells[0].text.splitlines()[0].endswith("研究 # %% import os")
    values: dict[str, object] = {}
    exec(next(cell.text for cell in cells if "HOME =" in cell.text), values)
    assert (values["HOME"], values["BASELINE"]) == ('/tmp/it\'s "here"\n', "a'b")
    compile(write_marimo(cells, TITLE), "study", "exec")


def test_a_cell_knows_what_it_gives_and_uses() -> None:
    cell = Cell("import a.b\nfrom c import d as e\nf = g(1)\n\ndef h(i):\n    return f + i + j", True)
    assert cell.given == ["a", "e", "f", "h"]
    assert cell.used == {"g", "f", "i", "j"}
    assert Cell("f = 1", False).given == []


def test_a_person_s_work_is_not_overwritten(home: Home, tmp_path: Path) -> None:
    script = write_notebooks(home, "study", tmp_path)[0]
    script.write_text("mine")
    with pytest.raises(XpError, match="work of yours"):
        write_notebooks(home, "study", tmp_path)
    assert script.read_text() == "mine"
    write_notebooks(home, "study", tmp_path, replaces=True)
    assert script.read_text() != "mine"


def test_an_unknown_experiment_is_named(home: Home, tmp_path: Path) -> None:
    with pytest.raises(QueryError, match="stody") as said:
        write_notebooks(home, "stody", tmp_path / "new")
    assert "study" in said.value.fix
    assert not (tmp_path / "new").exists()


def test_without_pandas_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    first = next(cell for cell in make_cells("study", "", None, Path("/home")) if cell.is_code)
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"pip install 'xp-engine\[notebook\]'"):
        exec(first.text, {})
