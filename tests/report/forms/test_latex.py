"""report.tex and document.tex: what they read is there, and they compile without a warning that matters."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from engine.collect import collect
from engine.home.files import write_json
from engine.report import make_report
from tests.helpers.synthetic import ARMS, Arm, SyntheticHome

MOST_OVER = 3.0  # points that a line may stand out without being seen
HOSTILE = r"5 % of $x_1$ & #2 \input{/etc/passwd} {a} ~^ <b>*c*</b> `ls` 'q' \"r\" ; -- é ± "
LETTERS = "深度学习的论文标题 כותרת המאמר עם מילים " + "endlessword" * 8 + " 中文" * 12
CLAIM = {"id": "one", "text": f"New wins: {HOSTILE}", "metric": "test_top1", "arm": "proposed", "against": "original",
         "expect": "greater"}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two experiments with hostile titles and claims, and an arm with the longest name there may be."""
    made, out = SyntheticHome(tmp_path_factory.mktemp("home")), tmp_path_factory.mktemp("out")
    arms = {**ARMS, "a_very_long_name_" + "x" * 47: Arm(0.6)}
    for name, title in (("first", HOSTILE), ("second", HOSTILE + LETTERS)):
        runs = made.experiment(name, arms, seeds=(0, 1), claims=(CLAIM,))
        path = made.record(name, runs, "original", (CLAIM,))
        write_json(path, json.loads(path.read_text()) | {"title": title})
    collect(made.home)
    make_report(made.home, ["first", "second"], ("tex",), out)
    return out


def test_every_file_that_is_read_is_there(folder: Path) -> None:
    texts = [path.read_text() for path in folder.rglob("*.tex")]
    read = [
        name
        for text in texts
        for name in re.findall(r"\\(?:input|includegraphics\[[^]]*\])\{\\xpfolder ([^}]+)\}", text)
    ]
    assert len(read) > 20
    assert all((folder / name).is_file() for name in read)


def test_claims_have_a_table(folder: Path) -> None:
    text = (folder / "first" / "tables" / "claims.tex").read_text()
    assert r"\textbackslash{}input\{/\allowbreak{}etc" in text
    assert r"\label{tab:first-claims}" in text


@pytest.mark.slow
@pytest.mark.parametrize("program", ["pdflatex", "lualatex"])
def test_the_document_compiles_and_nothing_stands_out(folder: Path, tmp_path: Path, program: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not here")
    shutil.copytree(folder, tmp_path / "doc")
    told = subprocess.run(
        [program, "-interaction=nonstopmode", "-halt-on-error", "document.tex"],
        cwd=tmp_path / "doc", capture_output=True, text=True, errors="replace", timeout=240, check=False,
    )  # fmt: skip
    assert told.returncode == 0, told.stdout[-3000:]
    over = [float(points) for points in re.findall(r"Overfull \\hbox \(([\d.]+)pt", told.stdout)]
    assert max(over, default=0.0) <= MOST_OVER
    assert "LaTeX Error" not in told.stdout
    assert "multiply defined" not in told.stdout
    assert "Float too large" not in told.stdout


def test_a_half_done_experiment_says_so_in_the_document_and_in_a_comment_of_the_part(tmp_path: Path) -> None:
    made = SyntheticHome(tmp_path / "home")
    runs = made.experiment("paper", ARMS, seeds=(0, 1))
    made.unfinish(runs[3])
    collect(made.home)
    (page,) = make_report(made.home, "paper", ("tex",), tmp_path / "out")
    assert "% HOLE: 1 of 6 runs are queued: proposed" in page.read_text()
    whole = (page.parent / "document.tex").read_text()
    assert "This report has holes." in whole
    assert r"\item 1 of 6 runs are queued: proposed" in whole
    assert "(n=1)" in (page.parent / "tables" / "results-1.tex").read_text()
