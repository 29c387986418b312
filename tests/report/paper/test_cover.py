"""The cover over a store of invented figures: verdicts counted, each experiment's size, and the written page."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.analysis.snapshot import one_snapshot
from engine.collect import collect
from engine.errors import XpError
from engine.home.paths import open_home
from engine.load.paper_file import load_paper
from engine.report.paper.cover import Cover, make_cover
from engine.report.paper.making import make_paper_report
from engine.report.paper.sentences import SENTENCES
from tests.helpers.synthetic import Arm, SyntheticHome
from tests.load.test_paper_file import PAPER, write

CLAIM = {"id": "wins", "text": "t", "metric": "test_top1", "arm": "b", "against": "a", "expect": "greater"}
SAID = "claim: bare/wins\n  - id: two\n    says: It is wrong.\n    needs: A run of it.\n    decided_by: []"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A paper of one experiment of four seeds, and the home it was run in."""
    root = tmp_path_factory.mktemp("paper")
    write(root, SAID, PAPER + "notes: [A note.]\n")
    made = SyntheticHome(root / "home")
    made.experiment("bare", {"a": Arm(0.40), "b": Arm(0.80, kind="longformer")}, (0, 1, 2, 3), claims=(CLAIM,))
    collect(made.home)
    return root


def cover(folder: Path, names: list[str]) -> Cover:
    with one_snapshot(open_home(folder / "home")) as snapshot:
        return make_cover(snapshot, load_paper(folder / "paper.yaml"), names)


def test_the_cover_counts_verdicts_and_names_sizes(folder: Path) -> None:
    found = cover(folder, ["bare", "never"])
    assert found.claim_count == "1 holds, 0 refuted, 0 undecided, 1 not run"
    assert [[cell.text for cell in row][:3] for row in found.experiments.rows] == [
        ["bare", "32 px", "8 of 8"], ["never", "not submitted", "\u2013"],
    ]  # fmt: skip
    assert [(one.number, one.kind, one.needs) for one in found.claims] == [
        (1, "holds", ""), (2, "not_run", "A run of it."),
    ]  # fmt: skip
    assert found.lead[0] == SENTENCES["page_of"]
    assert found.lead[1] == SENTENCES["how_judged"]


def test_the_page_says_the_same_in_each_form_and_twice_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    home, forms = open_home(folder / "home"), ("md", "html", "tex")
    once, again = (make_paper_report(home, folder / "paper.yaml", forms, tmp_path / name) for name in ("one", "two"))
    for first, second in zip(once, again, strict=True):
        assert first.read_bytes() == second.read_bytes()
        text = first.read_text()
        assert "holds at 32 px" in text
        assert "A note." in text
        assert "A run of it." in text
    assert "paper" in once[0].read_text()


def test_a_paper_of_which_nothing_was_submitted_says_what_to_submit(folder: Path, tmp_path: Path) -> None:
    write(tmp_path, "claim: bare/wins")
    made = SyntheticHome(tmp_path / "home")
    made.experiment("other", {"a": Arm(0.40)}, (0,))
    collect(made.home)
    with pytest.raises(XpError, match="none of the 1 experiments") as refused:
        make_paper_report(made.home, tmp_path / "paper.yaml", ("md",), tmp_path / "out")
    assert "xp submit" in refused.value.fix
