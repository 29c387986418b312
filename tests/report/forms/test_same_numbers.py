"""Markdown, LaTeX and HTML carry the same numbers, each equal to what SQL says."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from engine.collect import collect
from engine.report import make_report
from engine.report.number_text import NONE
from store.results import open_snapshot
from tests.helpers.synthetic import ARMS, Arm, SyntheticHome

SPLITS = ("60/20/20", "80/10/10")
COLUMNS = ("test_top1", "params", "macs", "infer_images_per_second", "host_peak_rss")
FOUR = {**ARMS, "proposed_block": Arm(0.7, 450.0, kind="block")}


class _Tables(HTMLParser):
    """The texts of the cells of each table."""

    def __init__(self) -> None:
        super().__init__()
        self.tables: list[list[list[str]]] = []
        self.is_cell = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.is_cell = True
            self.tables[-1][-1].append("")

    def handle_endtag(self, tag: str) -> None:
        self.is_cell = self.is_cell and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self.is_cell:
            self.tables[-1][-1][-1] += data


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[SyntheticHome, dict[str, Path]]:
    """Four arms, two splits, three seeds."""
    home = SyntheticHome(tmp_path_factory.mktemp("home"))
    home.experiment("paper", FOUR, splits=SPLITS)
    collect(home.home)
    pages = make_report(home.home, "paper", ("md", "html", "tex"), tmp_path_factory.mktemp("out"), columns=COLUMNS)
    return home, {page.suffix[1:]: page for page in pages}


def in_markdown(page: Path, table: int) -> dict[str, list[str]]:
    """Return arm -> the texts of its row in one of the tables of results."""
    blocks = re.findall(r"(?:^\|.*\n)+", page.read_text(), re.MULTILINE)
    rows = [[cell.strip(" *") for cell in line.strip("|\n").split(" | ")] for line in blocks[table].splitlines()]
    return {_plain(row[0]): [_plain(cell) for cell in row[1:]] for row in rows[2:]}


def in_html(page: Path, table: int) -> dict[str, list[str]]:
    reader = _Tables()
    reader.feed(page.read_text())
    return {_plain(row[0]): [_plain(cell) for cell in row[1:]] for row in reader.tables[table][1:]}


def in_latex(page: Path, table: int) -> dict[str, list[str]]:
    """The pieces of a table for narrow columns are put together again, and numbers with what is behind their point."""
    text = (page.parent / "tables" / f"results-{table + 1}.tex").read_text()
    found: dict[str, list[str]] = {}
    for piece in re.findall(r"\\midrule\n(.*?)\\bottomrule", text, re.DOTALL):
        for line in (line for line in piece.splitlines() if line.endswith(r" \\")):
            first, *cells = line.removesuffix(r" \\").split(" & ")
            found.setdefault(_plain(first), []).extend(_joined(cells))
    return found


def _joined(cells: list[str]) -> list[str]:
    """Put both columns of a number together; words and what spans both stand alone."""
    texts: list[str] = []
    rest = iter(cells)
    for cell in rest:
        bare = _plain(cell)
        is_number = re.fullmatch(r"[-+]?[\d,]+", bare) and "multicolumn" not in cell
        texts.append(_plain(cell + next(rest)) if is_number else bare)
    return texts


def _plain(text: str) -> str:
    for before, after in (
        (r"\allowbreak{}", ""), (r"\_", "_"), ("$-$", "-"), (r"$\pm$", "±"), ("~", " "), (r"$^\dagger$", "†"),
        (r"\textendash{}", NONE), (r"\%", "%"),
    ):  # fmt: skip
        text = text.replace(before, after)
    text = re.sub(r"\\(?:textbf|underline)\{([^}]*)\}", r"\1", text)
    return re.sub(r"\\multicolumn\{2\}\{c\}\{(.*)\}", r"\1", text).replace("\\", "").replace(NONE, "-").strip()


@pytest.mark.parametrize("table", [0, 1])
def test_all_forms_carry_the_same_texts(made: tuple[SyntheticHome, dict[str, Path]], table: int) -> None:
    pages = made[1]
    markdown = in_markdown(pages["md"], table)
    assert len(markdown) == 4
    assert in_html(pages["html"], table) == markdown
    assert in_latex(pages["tex"], table) == markdown


@pytest.mark.parametrize(("table", "split"), list(enumerate(SPLITS)))
def test_each_number_is_what_sql_says(made: tuple[SyntheticHome, dict[str, Path]], table: int, split: str) -> None:
    home, pages = made
    rows = in_markdown(pages["md"], table)
    with open_snapshot(home.home.root) as db:
        asked = "select arm, metric, mean, (high - low) / 2, n from cells where experiment = 'paper' and cell = $cell"
        cells = {(arm, metric): (mean, half, n) for arm, metric, mean, half, n in
                 db.execute(asked, {"cell": f"data.split={split}"}).fetchall()}  # fmt: skip
    for arm in FOUR:
        row = rows[f"{arm} (baseline)" if arm == "original" else arm]
        top1, change, relative, params, macs, speed, memory = row[2:]
        mean, half, n = cells[arm, "test_top1"]
        base = cells["original", "test_top1"][0]
        assert top1 == f"{100 * mean:.1f} ± {100 * half:.1f} (n={n})"
        if arm != "original":
            assert change.split()[0] == f"{100 * (mean - base):+.1f}"
            assert relative == f"{100 * (mean / base - 1):+.1f} %"
        assert float(params.split()[0]) == pytest.approx(cells[arm, "params"][0] / 1e6, abs=0.005)
        assert float(macs.split()[0]) == pytest.approx(cells[arm, "macs"][0] / 1e9, abs=0.005)
        assert float(speed.split()[0]) == pytest.approx(cells[arm, "infer_images_per_second"][0], rel=0.005)
        assert float(memory.split()[0].replace(",", "")) == pytest.approx(
            cells[arm, "host_peak_rss"][0] / 2**20, rel=0.005
        )
