"""`import xp` in a real Jupyter kernel: from a mapping to a report, with progress drawn in its cell."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.packages import has

ROOT = Path(__file__).parents[2]
CELLS = (
    "import xp",
    """spec = xp.load(
    name="small", data={"source": "digits", "image_size": 32}, train={"epochs": 1, "batch_size": 64},
    student={"arch": "tiny_vit", "dims": [8, 8, 16, 16], "depths": [1, 1, 1, 1], "heads": [1, 1, 2, 2],
             "windows": [4, 4, 2, 1]},
    measure={"batch_sizes": [1], "seconds": 0.05},
)
xp.plan(spec)""",
    "done = xp.submit(spec, wait=True)\nassert done.state == 'done', done.status()",
    "done.status()",
    "xp.results('small', metrics=['test_top1', 'params'])",
    "xp.curves('small', 'train_loss')",
    "xp.report('small')",
)


def run_cells(folder: Path) -> Any:
    """Return the notebook of CELLS as a kernel in `folder` has run it."""
    import nbformat
    from nbclient import NotebookClient

    book = nbformat.v4.new_notebook()  # type: ignore[no-untyped-call]  # nbformat gives it no types
    book.cells = [nbformat.v4.new_code_cell(text) for text in CELLS]  # type: ignore[no-untyped-call]
    NotebookClient(book, timeout=600, resources={"metadata": {"path": str(folder)}}).execute()
    return book


@pytest.mark.slow  # a minute: a kernel starts, and a network is trained
@pytest.mark.timeout(900)
@has("nbclient", "nbformat", "ipykernel", "pandas")
def test_a_notebook_goes_from_a_mapping_to_a_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(ROOT / "engine" / "api" / "xp.py", tmp_path / "xp.py")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(ROOT)]))
    monkeypatch.delenv("MPLBACKEND", raising=False)  # a kernel chooses its own
    book = run_cells(tmp_path)
    shown = [cell.outputs for cell in book.cells]
    assert [len(one) for one in shown] == [0, 1, 1, 1, 1, 1, 1], "progress is drawn in one place, and no line beside it"
    pages = ["".join(one[0].data["text/html"]) for one in shown[1:]]
    assert "<caption" in pages[0]
    assert shown[2][0].output_type == "display_data"
    assert "100%" in pages[1], "the last look stays"
    assert "done" in pages[2]
    assert "test_top1" in pages[3]
    assert "train_loss" not in pages[4]
    assert "<td>prune</td>" not in pages[4]
    assert pages[5].startswith("<iframe")
