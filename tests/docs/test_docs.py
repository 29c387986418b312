"""What README and manual show is so: words, specs, queries, Python and links; the walk of all commands is slow."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from engine.cli import app
from engine.cli.guide import GUIDE
from engine.launch.pilots.profile import RayProfile, SlurmProfile
from engine.load import load_spec
from store.results import open_snapshot
from tests.docs.blocks import ROOT, Block, all_blocks, blocks, exchanges, pages
from tests.docs.commands import all_commands, commands_page, parameters
from tests.docs.walk import Walk, fits, masked, queued_form
from tests.docs.words import parse_call, xp_calls
from tests.helpers.synthetic import ARMS, SyntheticHome

DOCS = ROOT / "docs"
LANGUAGES = {"console", "yaml", "sql", "python", "text", "toml"}
# Commands whose answer depends on words alone: what the manual shows of them is compared to the letter
EXACT = {"validate", "explain"}
REASONED = re.compile(r"<!-- (not run|queued only|stopped): .{12,} -->")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that the pages give, the specs of `xp init`, and a home with invented figures."""
    folder = tmp_path_factory.mktemp("study")
    (folder / "specs").symlink_to(ROOT / "specs")
    for page in pages():
        for block in blocks(page):
            if name := block.told("file"):
                (folder / name).write_text(block.text)
    for number in range(200):  # as the page's Python makes them, but empty: their names are looked at alone
        (folder / "images" / f"red_{number % 10}").mkdir(parents=True, exist_ok=True)
        (folder / "images" / f"red_{number % 10}" / f"{number:04}.png").touch()
    paths = sorted((folder / "images").glob("*/*.png"))
    lines = [f"{path.relative_to(folder)},{path.parent.name}" for path in paths]
    (folder / "images.csv").write_text("\n".join(["path,label", *lines]))
    made = SyntheticHome(folder / ".xp")
    names = ("original", "sparse", "sparse_pruned")
    made.experiment("digits_sparse", dict(zip(names, ARMS.values(), strict=True)), seeds=(0,))
    from engine.collect import collect

    collect(made.home)
    return folder


def each(found: list[Block]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("block", [pytest.param(block, id=block.place, marks=cost(block)) for block in found])


def cost(block: Block) -> tuple[pytest.MarkDecorator, ...]:
    """What imports a library for seconds that nothing of ours needs is run with the walk."""
    return (pytest.mark.slow,) if block.language == "python" and "sklearn" in block.text else ()


def test_every_block_has_a_language_that_is_looked_after() -> None:
    found = [block for page in pages() for block in blocks(page)]
    assert [block.place for block in found if block.language not in LANGUAGES] == []
    fences = sum(page.read_text().count("\n```") for page in pages())
    assert fences == 2 * len(found), "a fence that is no block: look for one that is indented or not closed"


def test_no_answer_waits_to_be_filled_in() -> None:
    waiting = [str(page) for page in pages() if re.search(r"^\?\d*$", page.read_text(), re.MULTILINE)]
    assert waiting == [], "python -m tests.docs outputs FOLDER PAGE"


def test_what_is_not_run_says_why() -> None:
    remarks = [line for page in pages() for line in re.findall(r"<!-- (?:not run|queued|stopped).*", page.read_text())]
    assert remarks
    assert [line for line in remarks if not REASONED.fullmatch(line)] == []


@each(all_blocks("console"))
def test_commands_of_a_console_have_words_that_are_known(block: Block) -> None:
    lines = exchanges(block.text)
    assert lines, f"{block.place}: a console needs a line that begins with $"
    for one in lines:
        for call in xp_calls(one.command):
            parse_call(call)


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_within_a_sentence_have_words_that_are_known(page: Path) -> None:
    prose = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    for line in re.findall(r"`((?:XP_\w+=\S+ )?xp [^`]+)`", prose):
        for call in xp_calls(" ".join(line.split())):
            parse_call(call, whole=False)


@each(all_blocks("toml"))
def test_words_of_a_site_are_known(block: Block) -> None:
    tables = tomllib.loads(block.text)
    assert tables.keys() <= {"slurm", "ray"}
    assert SlurmProfile.model_validate(tables.get("slurm", {}))
    assert RayProfile.model_validate(tables.get("ray", {}))


@each([block for block in all_blocks("yaml") if block.excuse is None])
def test_specs_are_valid(block: Block, study: Path) -> None:
    base = block.told("part of")
    if base is None:
        name = block.told("file")
        assert name, f"{block.place}: say which file it is, or of which it is a part"
        load_spec(study / name)
        return
    part = study / "_part.yaml"
    part.write_text(block.text)
    load_spec(study / base, overlays=[part])


@each(all_blocks("sql"))
def test_queries_run_and_have_the_columns_shown(block: Block, study: Path) -> None:
    from engine.home.paths import open_home

    with open_snapshot(open_home(study / ".xp").results_db) as db:
        names = [column[0] for column in db.sql(block.text).description]
    following = list(blocks(block.page))
    shown = following[following.index(block) + 1]
    assert shown.remark == "output", f"{block.place}: show what it answers"
    head = shown.text.splitlines()[0]
    assert [name for name in names if name not in head] == []


@each(all_blocks("python"))
def test_python_runs_and_prints_what_is_shown(
    block: Block, study: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(study)
    monkeypatch.syspath_prepend(str(ROOT / "engine" / "api"))
    exec(compile(ast.parse(block.text), block.place, "exec"), {"__name__": "block"})
    following = list(blocks(block.page))
    shown = following[following.index(block) + 1]
    if shown.remark == "output":
        assert fits(shown.text, capsys.readouterr().out)


def exact_exchanges() -> Iterator[tuple[str, str, str]]:
    for block in all_blocks("console"):
        for one in exchanges(block.text):
            call = next(xp_calls(one.command), [""])
            if block.excuse is None and call[0] in EXACT and "||" not in one.command and one.shown.strip():
                yield block.place, one.command, one.shown


@pytest.mark.parametrize(("place", "command", "shown"), list(exact_exchanges()))
def test_answers_of_words_alone_are_what_is_shown(
    place: str, command: str, shown: str, study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(study)
    monkeypatch.setenv("COLUMNS", "110")
    answer = CliRunner().invoke(app, next(xp_calls(command)))
    assert fits(shown, answer.output), answer.output


def test_commands_that_are_made_when_wanted_are_all_found() -> None:
    found = {name.split()[1] for name, _ in all_commands(get_command(app))}
    assert found == set(GUIDE)


@pytest.mark.parametrize("line", ["xp sumbit a.yaml", "xp plan a.yaml --jobz", "xp data raport images", "xp why"])
def test_words_that_the_app_has_not_are_refused(line: str) -> None:
    with pytest.raises(Exception, match=r"No such|Missing|means nothing|no command"):
        parse_call(next(xp_calls(line)))


def test_figures_compare_equal_and_words_do_not() -> None:
    assert fits("sparse  0.91 ± 0.02 (3m10s)\n", "sparse  0.9 ± 0.113 (58s)\n")
    assert not fits("sparse undecided 0.1\n", "sparse holds 0.1\n")
    assert fits("a\n...\nc 1\n", "a\nb\nc 22\n")
    assert not fits("a\n...\nd\n", "a\nb\nc\n")
    assert masked("run-0123456789ab") == "run-#"


def test_the_page_of_commands_is_what_the_app_says() -> None:
    assert (DOCS / "commands.md").read_text() == commands_page(), "make it anew: python -m tests.docs commands"


def test_every_command_and_option_has_words() -> None:
    bare = [
        f"{name} {one.name}"
        for name, command in all_commands(get_command(app))
        for one in parameters(command)
        if not (getattr(one, "help", "") or "").strip()
    ]
    assert bare == []
    assert [name for name, command in all_commands(get_command(app)) if not (command.help or "").strip()] == []


def test_figures_of_the_start_page_are_those_that_were_measured() -> None:
    measured = (ROOT / "benchmarks" / "RESULTS.md").read_text()
    for page in (DOCS / "index.md", DOCS / "results.md", ROOT / "README.md"):
        rows = re.findall(r"^\|.*\| ([\d.e+]+) \| ([\d.e+]+) \| ([\d.]+) \| (\w+) \|$", page.read_text(), re.MULTILINE)
        assert len(rows) >= 5, page
        for ours, peer, ratio, section in rows:
            (text,) = re.findall(rf"^## {section}\n(.*?)(?=^## |\Z)", measured, re.MULTILINE | re.DOTALL)
            assert f"| {ours} | {peer} | {ratio} |" in text, f"{page.name}: {section} has no {ours} | {peer} | {ratio}"


def test_links_of_the_readme_lead_somewhere() -> None:
    targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", (ROOT / "README.md").read_text())
    assert targets
    assert [name for name in targets if not name.startswith("http") and not (ROOT / name).exists()] == []


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The manual, built: with a word out of place or a link that leads nowhere it is not."""
    out = tmp_path_factory.mktemp("site")
    line = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(out)]
    more = {"NO_MKDOCS_2_WARNING": "1"}
    made = subprocess.run(line, cwd=ROOT, env=os.environ | more, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stdout + made.stderr
    return out


def test_pages_ask_no_other_host(site: Path) -> None:
    other = r"\"?(?:https?:)?//"
    asked = re.compile(rf"<(?:script|img|iframe|source)\b[^>]*\bsrc={other}|<link\b[^>]*\bhref={other}")
    assert [page for page in site.rglob("*.html") if asked.search(page.read_text())] == []
    drawn = re.compile(r"(?:url\(|@import)\s*['\"]?(?:https?:)?//")
    assert [page for page in site.rglob("*.css") if drawn.search(page.read_text())] == []


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_every_command_does_what_the_pages_show(tmp_path: Path) -> None:
    """Twenty minutes on two cores; verdicts that are shown are of this machine, figures are masked."""
    faults = [answer.fault for answer in Walk(tmp_path / "study").answers()]
    assert [fault for fault in faults if fault] == []


@pytest.mark.parametrize(("shown", "queued"), [
    ("XP_DATA=DIR xp submit a.yaml --set data.root=DIR --wait  # all",
     "XP_DATA=data xp submit a.yaml --set data.root=data/photographs --no-start"),
    ("xp data report DIR/imagenet100", "xp data report data/imagenet100"),
    ("xp report study", None),
])  # fmt: skip
def test_what_trains_for_hours_is_queued_and_not_started(shown: str, queued: str | None) -> None:
    found = queued_form(shown)
    assert (found and found.partition("; ")[2].strip()) == queued
