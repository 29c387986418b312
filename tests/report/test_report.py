"""Reports: complete, honest about holes, the same every time, and whole in one file."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from math import exp, sinh
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import pytest

from engine.analysis.compare import compare_arms
from engine.analysis.snapshot import Snapshot
from engine.collect import collect, rebuild
from engine.errors import XpError
from engine.home.files import write_json
from engine.report import list_missing, make_report
from store.results import open_snapshot
from tests.helpers.synthetic import ARMS, Arm, SyntheticHome

CHARTS = {
    "accuracy", "throughput", "memory", "parameters", "effects", "curve_val_top1", "curve_train_loss", "cost_macs",
    "cost_memory",
}  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> SyntheticHome:
    home = SyntheticHome(tmp_path_factory.mktemp("home"))
    home.experiment("paper", ARMS, splits=("60/20/20", "80/10/10"))
    collect(home.home)
    return home


@pytest.fixture(scope="module")
def pages(made: SyntheticHome, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("report")
    return {path.suffix[1:]: path for path in make_report(made.home, "paper", ("md", "html", "tex"), folder)}


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="a folder of Linux")
def test_a_folder_that_takes_no_file_is_refused(made: SyntheticHome) -> None:
    with pytest.raises(XpError, match="choose another with -o"):
        make_report(made.home, "paper", ("md",), Path("/proc/self"))


class _Tags(HTMLParser):
    """Notes which tags are open at the end, and every address that a page points to."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "img", "link", "br", "wbr"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass


def numbers_of(made: SyntheticHome, split: str) -> dict[str, dict[int, dict[str, Any]]]:
    """Return arm -> seed -> figures of one split, out of the store's view of runs."""
    with open_snapshot(made.home.root) as db:
        table = db.sql(f"select * from results where split = '{split}'")
        rows = [dict(zip(table.columns, row, strict=True)) for row in table.fetchall()]
    found: dict[str, dict[int, dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(row["arm"], {})[row["seed"]] = row
    return found


def row_of(page: str, arm: str, table: int = 0) -> list[str]:
    rows = [line for line in page.splitlines() if line.startswith((f"| {arm} |", f"| **{arm}** |"))]
    return [cell.strip(" *") for cell in rows[table].strip("|").split("|")]


def shown_half(values: list[float], *, is_share: bool = False) -> float:
    """Half of the 95 % t interval of three values' mean: of shares on the logit scale, else on the log scale."""
    middle, error = mean(values), 4.3027 * stdev(values) / 3**0.5
    if not is_share:
        return middle * sinh(error / middle)
    bent = [1 / (1 + (1 - middle) / middle * exp(way * error / (middle * (1 - middle)))) for way in (-1, 1)]
    return (bent[0] - bent[1]) / 2


def half_of(made: SyntheticHome, arm: str, split: str) -> float:
    compared = compare_arms(made.home, f"paper/{arm}", "paper/original", "test_top1", anyway=True)
    (half,) = [one.difference.half for one in compared if one.cell == f"data.split={split}"]
    assert half is not None
    return half


@pytest.mark.parametrize(("table", "split"), [(0, "60/20/20"), (1, "80/10/10")])
def test_every_number_of_a_row_follows_from_its_runs(
    made: SyntheticHome, pages: dict[str, Path], table: int, split: str
) -> None:
    """By the standard library, from the runs of the store; half of an interval is that of the comparison."""
    arms = numbers_of(made, split)
    known = {
        "proposed": ("none", "", "21.40 M", "3.80 G", "560"),
        "proposed_pruned": ("ratio 0.2", " [a]", "17.10 M", "3.00 G", "640"),
    }
    for arm, (pruning, mark, *same) in known.items():
        ours, base = ([arms[name][seed]["test_top1"] for seed in range(3)] for name in (arm, "original"))
        gains = [100 * (one - two) for one, two in zip(ours, base, strict=True)]
        memory = [arms[arm][seed]["host_peak_rss"] / 2**20 for seed in range(3)]
        train = [arms[arm][seed]["train_images_per_second"] for seed in range(3)]
        assert row_of(pages["md"].read_text(), arm, table) == [
            arm,
            "longformer",
            pruning,
            f"{100 * mean(ours):.1f} ± {100 * shown_half(ours, is_share=True):.1f} (n=3)",
            f"{mean(gains):+.1f} ± {100 * half_of(made, arm, split):.1f}{mark}",
            f"{100 * (mean(ours) / mean(base) - 1):+.1f} %",
            *same,
            f"{mean(train):.0f} ± {shown_half(train):.0f}",
            f"{mean(memory):,.0f} ± {shown_half(memory):.0f}",
        ]


def test_a_whole_report_names_its_baseline_and_pruning_and_no_holes(pages: dict[str, Path]) -> None:
    text = pages["md"].read_text()
    assert text.count("| original (baseline) |") == 2
    assert text.count("proposed_pruned: pruning of 20.0 % was asked, 19.6 % reached.") == 2
    assert "holes" not in text


def test_markdown_points_only_to_files_that_are_there(pages: dict[str, Path]) -> None:
    text = pages["md"].read_text()
    files = re.findall(r"!\[[^]]*\]\(([^)]+)\)", text)
    assert {Path(file).suffix for file in files} == {".svg", ".png"}
    assert all((pages["md"].parent / file).is_file() for file in files)
    drawn = {file.removesuffix(".svg") for file in files if file.endswith(".svg")}
    assert drawn == CHARTS


def test_html_is_one_whole_file(pages: dict[str, Path]) -> None:
    text = pages["html"].read_text()
    tags = _Tags()
    tags.feed(text)
    assert tags.open == []
    assert all(link.startswith(("data:image/png;base64,", "#")) for link in tags.links)
    assert "@import" not in text
    assert text.count("<script>") == 1, "its own, which its policy allows"
    assert "<script src" not in text
    assert text.count("<svg") == len(CHARTS)
    assert text.count("data:image/png") == 9


def test_every_number_names_its_runs(pages: dict[str, Path]) -> None:
    text = pages["html"].read_text()
    cells = re.findall(r"<td([^>]*)>(?:<strong>)?([^<]*± [^<]*)", text)
    assert len(cells) > 10
    assert all("run-" in attributes for attributes, _ in cells)


def test_report_is_the_same_byte_for_byte(made: SyntheticHome, pages: dict[str, Path], tmp_path: Path) -> None:
    again = make_report(made.home, "paper", ("md", "html", "tex"), tmp_path)
    for path in [file for file in tmp_path.rglob("*") if file.is_file()]:
        assert path.read_bytes() == (pages["md"].parent / path.relative_to(tmp_path)).read_bytes()
    assert len(again) == 3


def latex_of(page: Path) -> str:
    """Return a page of LaTeX with the tables that it reads."""

    def read(found: re.Match[str]) -> str:
        return (page.parent / found[1]).read_text()

    return re.sub(r"\\input\{\\xpfolder ([^}]+)\}\n", read, page.read_text())


def test_latex_is_balanced_and_escaped(pages: dict[str, Path]) -> None:
    text = latex_of(pages["tex"])
    assert text.count(r"\begin") == text.count(r"\end")
    body = "\n".join(line for line in text.splitlines() if not line.startswith("%"))
    assert body.count("{") == body.count("}")
    assert r"proposed\_\allowbreak{}pruned" in body
    assert not re.search(r"(?<!\\)%", body)
    assert not re.search(r"\\\\\s*\[", body), "a bracket after the end of a line is taken for a length"
    assert not re.search(r"[ &]-\d", body), "a minus is no hyphen"
    assert body.count(r"\label{tab:paper-") == len(re.findall(r"\\begin\{table\*?\}", body))
    assert r"\includegraphics[width=\linewidth,height=0.68\textheight,keepaspectratio]{\xpfolder bars.pdf}" in body
    assert (pages["tex"].parent / "bars.pdf").read_bytes().startswith(b"%PDF")


def test_holes_and_failures_are_said_plainly(tmp_path: Path) -> None:
    made = SyntheticHome(tmp_path / "home")
    runs = made.experiment("paper", ARMS, seeds=(0, 1))
    made.unfinish(runs[3])
    collect(made.home)
    holes = list_missing(made.home, "paper")
    assert any("1 of 6 runs are queued: proposed" in hole for hole in holes)
    page = make_report(made.home, "paper", ("md",), tmp_path / "out")[0].read_text()
    assert "This report has holes" in page
    assert "(n=1)" in page
    with pytest.raises(XpError, match="would have"):
        make_report(made.home, "paper", ("md",), tmp_path / "out", allow_missing=False)


def test_what_is_damaged_is_a_hole_that_is_named_and_never_a_number(tmp_path: Path) -> None:
    made = SyntheticHome(tmp_path / "home", sealed=True)
    runs = made.experiment("paper", ARMS, seeds=(0, 1))
    explained = made.home.job(runs[0]["jobs"]["explain"]).attempt(1)
    shown = make_report(made.home, "paper", ("md",), tmp_path / "whole")[0].read_text() if collect(made.home) else ""
    assert "holes" not in shown
    image = explained.artifacts / "map_000.png"
    image.write_bytes(image.read_bytes()[:-1])
    journal = made.home.job(runs[3]["jobs"]["student"]).attempt(1).journal
    journal.write_bytes(journal.read_bytes().replace(b'"test_top1","value":0.', b'"test_top1","value":1.'))
    assert len(rebuild(made.home).damaged) == 1
    page = make_report(made.home, "paper", ("md",), tmp_path / "out")[0].read_text()
    names = [path.relative_to(made.home.root) for path in (journal, image)]
    assert f"> - {names[0]} (its checksum does not hold): what it told is left out" in page
    assert f"> - {names[1]} (has " in page
    assert any(cell.endswith("(n=1)") for cell in row_of(page, "proposed"))
    assert not (tmp_path / "out" / "maps" / runs[0]["arm"] / "map_000.png").exists()
    assert (tmp_path / "out" / "maps" / runs[0]["arm"] / "map_001.png").exists()


def test_a_report_whose_submission_is_damaged_says_so(tmp_path: Path) -> None:
    made = SyntheticHome(tmp_path / "home", sealed=True)
    made.experiment("paper", {"a": Arm()}, seeds=(0,))
    path = made.home.records("paper")[-1]
    path.write_text(path.read_text().replace('"seed": 0', '"seed": 7'))
    collect(made.home)
    page = make_report(made.home, "paper", ("md",), tmp_path / "out")[0].read_text()
    assert "experiments/paper/1.json (is damaged: its checksum does not hold): what it told is left out" in page


def test_failed_job_brings_its_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = SyntheticHome(tmp_path / "home")
    made.job("train-x", "train")
    attempt, journal = made.attempt("train-x", 1)
    journal.close()
    made.outcome(attempt, "crashed", "out of disk")
    made.record(
        "paper",
        [
            {
                "run": "run-1",
                "arm": "only",
                "cell": "default",
                "seed": 0,
                "split": "60/20/20",
                "settings": {},
                "jobs": {"student": "train-x"},
            }
        ],
        "only",
    )
    monkeypatch.setattr("engine.collect._read_states", lambda home: {"train-x": "failed"})
    collect(made.home)
    holes = list_missing(made.home, "paper")
    assert any("train-x is failed after 1 attempt: out of disk" in hole for hole in holes)
    page = make_report(made.home, "paper", ("html",), tmp_path / "out")[0].read_text()
    assert "<li>job train-x is failed after 1 attempt: out of disk</li>" in page


def test_experiment_without_one_result_still_has_a_report(tmp_path: Path) -> None:
    made = SyntheticHome(tmp_path / "home")
    made.record("empty", [], "none")
    collect(made.home)
    md, html, tex = (
        path.read_text() for path in make_report(made.home, "empty", ("md", "html", "tex"), tmp_path / "out")
    )
    assert "# The empty experiment" in md
    assert "| Runs | 0 of 0 done |" in md
    assert "<summary>All 0 runs</summary>" in html
    assert "<svg" not in html
    assert r"\input" not in tex.replace("Read with \\input", "")
    made_files = ["document.tex", "report.html", "report.md", "report.tex"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == made_files


def test_names_with_odd_signs_do_no_harm(tmp_path: Path) -> None:
    made = SyntheticHome(tmp_path / "home")
    runs = made.experiment("paper", {"only": Arm()}, seeds=(0,))
    path = made.record("paper", runs, "only")
    record = json.loads(path.read_text()) | {"title": "<script>alert(1)</script> 5 % & $x_1$ | {}"}
    write_json(path, record)
    collect(made.home)
    pages = make_report(made.home, "paper", ("md", "html", "tex"), tmp_path / "out")
    assert "<script>alert" not in pages[1].read_text()
    assert r"5 \% \& \$x\_\allowbreak{}1\$" in latex_of(pages[2])


def test_paper_experiment_shows_the_published_figures(tmp_path: Path) -> None:
    made = SyntheticHome(tmp_path / "home")
    kinds = {"original": "window", "proposed": "longformer"}
    arms = {
        name: replace(ARMS[name], settings={"student": {"arch": "tiny_vit_5m", "attention": {"kind": kind}}})
        for name, kind in kinds.items()
    }
    made.experiment("phase1_tiny_window", arms, seeds=(0,), splits=("80/10/10",))
    collect(made.home)
    text = make_report(made.home, "phase1_tiny_window", ("md",), tmp_path / "out")[0].read_text()
    row = next(line for line in text.splitlines() if "-0.62 points" in line)
    assert "73.645 %" in row
    assert "-0.62 %" in row
    assert row.count("points") == 2


def test_a_published_figure_stands_beside_the_arm_with_its_teacher(tmp_path: Path) -> None:
    """The paper's is sparse attention under ConvNeXt V2; arms with it untaught and under CLIP come first here."""
    made = SyntheticHome(tmp_path / "home")
    teachers = {"original": "timm/vit_clip", "sparse_alone": None, "sparse_clip": "timm/vit_clip",
                "sparse_convnext": "timm/convnextv2_huge"}  # fmt: skip
    attention = {"original": "window"}
    arms = {
        name: Arm(0.3 + 0.2 * place, kind=attention.get(name, "longformer"), settings={"teacher": {"arch": arch}})
        for place, (name, arch) in enumerate(teachers.items())
    }
    made.experiment("phase2_convnextv2", arms, seeds=(0,), splits=("80/10/10",))
    collect(made.home)
    text = make_report(made.home, "phase2_convnextv2", ("md",), tmp_path / "out")[0].read_text()
    row = next(line for line in text.splitlines() if "45.33 %" in line)
    assert float(row.split("|")[7].split()[0]) > 80, row


def test_unknown_experiment_and_format_bring_choices(made: SyntheticHome, tmp_path: Path) -> None:
    with pytest.raises(XpError, match="did you mean 'paper'"):
        make_report(made.home, "papr", ("md",), tmp_path)
    with pytest.raises(XpError, match="no report format"):
        make_report(made.home, "paper", ("docx",), tmp_path)


def test_clear_change_has_a_dagger_and_an_unfair_one_says_what_else_differs(tmp_path: Path) -> None:
    made = SyntheticHome(tmp_path / "home")
    odd = {"train": {"epochs": 3, "batch_size": 128, "checkpoint": "last"}}
    arms = {
        "base": Arm(0.40), "clear": Arm(0.80, kind="longformer"), "same": Arm(0.41, kind="longformer"),
        "odd": Arm(0.42, kind="longformer", settings=odd),
    }  # fmt: skip
    made.experiment("paper", arms, seeds=(0, 1, 2, 3))
    collect(made.home)
    page, printed = make_report(made.home, "paper", ("md", "tex"), tmp_path / "out")
    text, tex = page.read_text(), latex_of(printed)
    rows = {line.split("|")[1].strip(): line for line in text.splitlines() if line.startswith("| ")}
    assert re.search(r"± \d+\.\d † \|", rows["clear"])
    assert re.search(r"± \d+\.\d \|", rows["same"])
    assert re.search(r"± \d+\.\d \[a\] \|", rows["odd"])
    assert "[a] odd against base: not held equal: train.batch_size is 128 against 64." in text
    assert re.search(r"could be detected.* in points: clear \d+\.\d, same \d+\.\d, odd \d+\.\d\.", text)
    assert r"$^\dagger$" in tex
    assert "†" not in tex


def contents_of(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_all_of_a_report_is_of_one_snapshot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two more seeds are published after its first query: table, daggers, claims and charts know nothing of them."""
    made = SyntheticHome(tmp_path / "home")
    arms = {"base": Arm(0.50), "new": Arm(0.70, kind="longformer")}
    about = {"id": "one", "text": "New wins.", "metric": "test_top1", "arm": "new", "against": "base",
             "expect": "greater"}  # fmt: skip
    old = made.experiment("paper", arms, seeds=(0, 1), claims=(about,))
    collect(made.home)
    make_report(made.home, "paper", ("md",), tmp_path / "old")
    asked: list[str] = []

    def ask(snapshot: Snapshot, query: str, **values: Any) -> list[dict[str, Any]]:
        rows = plain(snapshot, query, **values)
        asked.append(query)
        if len(asked) == 1:
            more = made.experiment("paper", arms, seeds=(2, 3), claims=(about,))
            made.record("paper", [*old, *more], "base", (about,))
            assert collect(made.home).is_published
        return rows

    plain = Snapshot.ask
    with monkeypatch.context() as patch:
        patch.setattr(Snapshot, "ask", ask)
        make_report(made.home, "paper", ("md",), tmp_path / "meanwhile")
    make_report(made.home, "paper", ("md",), tmp_path / "new")
    assert contents_of(tmp_path / "meanwhile") == contents_of(tmp_path / "old")
    before, after = ((tmp_path / when / "report.md").read_text() for when in ("old", "new"))
    assert len([query for query in asked if query.startswith(("report", "compare", "claims"))]) > 15
    for said in ("(n=4)", "†", "holds"):
        assert said in after
        assert said not in before
    assert contents_of(tmp_path / "new")["accuracy.svg"] != contents_of(tmp_path / "old")["accuracy.svg"]
