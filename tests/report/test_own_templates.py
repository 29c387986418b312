"""Pages of users: the example works, mistakes name file and line, nothing outside of the folder is read."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from engine.cli.starter_specs import EXAMPLE, lay_out_template
from engine.collect import collect
from engine.errors import XpError
from engine.report import list_templates, make_report
from engine.report.own_templates import read_folder
from tests.helpers.synthetic import ARMS, SyntheticHome


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> SyntheticHome:
    home = SyntheticHome(tmp_path_factory.mktemp("home"))
    for name in ("first", "second"):
        home.experiment(name, ARMS, seeds=(0, 1))
    collect(home.home)
    return home


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The example as xp init --template lays it out."""
    lay_out_template(tmp_path)
    return tmp_path / "template"


def test_the_example_works_for_several_experiments_in_all_its_forms(
    made: SyntheticHome, folder: Path, tmp_path: Path
) -> None:
    pages = make_report(made.home, ["first", "second"], None, tmp_path / "out", template=folder)
    assert [page.name for page in pages] == ["accuracy.md", "accuracy.html", "accuracy.tex"]
    text = pages[0].read_text()
    assert text.count("| first | proposed |") == text.count("| second | proposed |") == 1
    assert "(second/accuracy.svg)" in text
    assert (tmp_path / "out" / "second" / "accuracy.svg").is_file()
    again = make_report(made.home, ["first", "second"], ["md"], tmp_path / "again", template=folder)
    assert again[0].read_bytes() == pages[0].read_bytes()


def test_what_is_laid_out_is_never_overwritten(folder: Path) -> None:
    (folder / "accuracy.sql").write_text("mine")
    assert lay_out_template(folder.parent) == []
    assert (folder / "accuracy.sql").read_text() == "mine"
    assert {file.name for file in folder.iterdir()} == {file.name for file in EXAMPLE.iterdir()}


def test_templates_are_listed_with_a_line_on_each(folder: Path) -> None:
    (folder / "note.md.j2").write_text("{# Only a note #}\nhello")
    lines = list_templates(folder)
    assert [line.split()[0] for line in lines] == ["report", "accuracy", "note"]
    assert "Test accuracy of each arm" in lines[1]
    assert lines[2].endswith("md           Only a note")
    assert len(list_templates()) == 1


@pytest.mark.parametrize(
    ("file", "before", "after", "place", "fix"),
    [
        ("accuracy.sql", "cells.mean,", "cells.mena,", "accuracy.sql:5", "mean"),
        ("accuracy.sql", "$names", "$nmaes", "accuracy.sql", "$names"),
        ("accuracy.sql", "from cells", "from clels", "accuracy.sql", "cells"),
        ("accuracy.md.j2", "row.mean", "row.mena", "accuracy.md.j2:7", "did you mean 'mean'?"),
        ("accuracy.md.j2", "rows %}", "rosw %}", "accuracy.md.j2:6", "did you mean 'rows'?"),
    ],
)
def test_a_mistake_names_its_file_its_line_and_the_nearest_name(
    made: SyntheticHome, folder: Path, tmp_path: Path, file: str, before: str, after: str, place: str, fix: str
) -> None:
    path = folder / file
    path.write_text(path.read_text().replace(before, after))
    with pytest.raises(XpError) as caught:
        make_report(made.home, "first", ["md"], tmp_path / "out", template=folder)
    assert f"{folder}/{place}" in str(caught.value)
    assert fix in str(caught.value)


def test_a_query_that_writes_or_reads_files_is_refused(made: SyntheticHome, folder: Path, tmp_path: Path) -> None:
    for query in ("copy cells to '/tmp/x.csv'", "select * from read_text('/etc/passwd')", "drop table cells"):
        (folder / "accuracy.sql").write_text(query)
        with pytest.raises(XpError, match="read-only"):
            make_report(made.home, "first", ["md"], tmp_path / "out", template=folder)


def test_links_out_of_the_folder_are_refused(made: SyntheticHome, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (folder / "_more.j2").symlink_to(tmp_path / "secret")
    with pytest.raises(XpError, match="leads out"):
        make_report(made.home, "first", ["md"], tmp_path / "out", template=folder)


def test_a_folder_without_templates_or_without_that_form_says_what_to_do(
    made: SyntheticHome, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    for nothing in (tmp_path / "empty", tmp_path / "gone"):
        with pytest.raises(XpError, match=f"fix: xp init --template {nothing}"):
            make_report(made.home, "first", None, tmp_path / "out", template=nothing)
    shutil.copy(folder / "accuracy.md.j2", tmp_path / "empty")
    with pytest.raises(XpError, match="no template here is for tex"):
        make_report(made.home, "first", ["tex"], tmp_path / "out", template=tmp_path / "empty")


def test_the_folder_that_init_was_given_is_enough(folder: Path) -> None:
    above = read_folder(folder.parent)
    assert above == read_folder(folder)
    (folder.parent / "mine.md.j2").write_text("{# Mine #}")
    assert [one.name for one in read_folder(folder.parent).templates] == ["mine"]


def test_a_laid_out_folder_that_is_a_link_is_not_followed(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "template").symlink_to(folder)
    with pytest.raises(XpError, match="no template is here"):
        read_folder(tmp_path / "other")


def test_a_template_sees_tables_facts_and_other_queries(made: SyntheticHome, tmp_path: Path) -> None:
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "count.sql").write_text("select count(*) as runs from results where experiment = $name")
    (folder / "_line.j2").write_text("{{ name }} has {{ queries.count[0].runs }} runs\n")
    (folder / "page.md.j2").write_text(
        "{% include '_line.j2' %}{{ chapters[0].tables['results-1'].columns[0] }} {{ chapters[0].facts|length > 5 }} "
        "{{ rows|length }}"
    )
    (page,) = make_report(made.home, "first", None, tmp_path / "out", template=folder)
    assert page.read_text() == "first has 6 runs\narm True 0"
