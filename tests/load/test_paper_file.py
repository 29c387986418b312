"""Papers: what is shipped names what there is; what is wrong is said at its line; overlays are checked as overlays."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import SpecError
from engine.load.paper_file import check_overlay, is_paper, load_paper, load_specs

SPECS = Path(__file__).parents[2] / "specs"
BARE = """name: bare
data: {source: digits, image_size: 32}
student: {arch: tiny_vit_5m}
arms: {a: {}, b: {train.lr: 0.1}}
"""
CLAIM = "claims: [{id: wins, text: t, metric: test_top1, arm: b, against: a, expect: greater}]\n"
PAPER = "title: A paper\nexperiments: [bare.yaml]\nclaims: said.yaml\n"


def write(folder: Path, said: str, paper: str = PAPER) -> Path:
    (folder / "bare.yaml").write_text(BARE + CLAIM)
    (folder / "said.yaml").write_text(f"sayings:\n  - id: one\n    says: It wins.\n    decided_by:\n      - {said}\n")
    (folder / "paper.yaml").write_text(paper)
    return folder / "paper.yaml"


def problem(path: Path) -> str:
    with pytest.raises(SpecError) as refused:
        load_specs(load_paper(path))
    return str(refused.value)


def test_the_shipped_paper_names_claims_and_arms_that_there_are() -> None:
    loaded = load_paper(SPECS / "paper.yaml")
    names = [spec.name for spec in load_specs(loaded)]
    assert names[:4] == ["phase1_tiny_window", "phase1_big_window", "phase2_convnextv2", "phase2_pruned"]
    assert {"teacher_assistant", "fixed_temperature", "fixed_pattern", "efficient_peers"} <= set(names)
    assert (len(loaded.claims), len(loaded.inconsistencies)) == (14, 15)
    assert all(saying.decided_by for saying in (*loaded.claims, *loaded.inconsistencies))


def test_each_metric_of_the_shipped_claims_is_one_that_runs_have() -> None:
    loaded = load_paper(SPECS / "paper.yaml")
    words = [one.across for saying in loaded.inconsistencies for one in saying.decided_by if one.across]
    assert [one.metric for one in words] == ["test_top1"]


@pytest.mark.parametrize(
    ("said", "line", "fix"),
    [
        ("claim: bare/wind", "said.yaml:5:16", "bare/wins"),
        ("claim: bear/wins", "said.yaml:5:16", "bare/wins"),
        ("across: {arm: bare/c, against: bare/a, metric: test_top1, expect: less}", "said.yaml:5:23", "bare/a"),
        ("across: {arm: bare/b, against: bare/a, metric: test_top, expect: less}", "said.yaml:5:56", "test_top1"),
        ("effect: {experiment: bare, plus: [b], minus: [x], expect: less}", "said.yaml:5:55", "'a'"),
        ("effect: {experiment: nobody, plus: [b], minus: [a], expect: less}", "said.yaml:5:30", "bare"),
    ],
)
def test_a_name_that_the_specs_lack_is_said_at_its_place(tmp_path: Path, said: str, line: str, fix: str) -> None:
    told = problem(write(tmp_path, said))
    assert line in told
    assert fix in told.partition("fix: ")[2]


@pytest.mark.parametrize(
    ("said", "what", "fix"),
    [
        ("claims: bare/wins", "unknown key 'claims'", "'claim'"),
        ("computed: throughput", "no choice here", "throughputs"),
        ("{claim: bare/wins, text: holds}", "claim and text decide together", "exactly one"),
        ("opposite: true", "nothing is named that decides", "exactly one"),
    ],
)
def test_a_wrong_word_of_a_saying_has_its_line_and_a_fix(tmp_path: Path, said: str, what: str, fix: str) -> None:
    told = problem(write(tmp_path, said))
    assert told.startswith(f"{tmp_path / 'said.yaml'}:5:")
    assert what in told
    assert fix in told.partition("fix: ")[2]


def test_a_wrong_word_of_a_paper_has_its_line_and_a_fix(tmp_path: Path) -> None:
    told = problem(write(tmp_path, "claim: bare/wins", PAPER + "not: [x]\n"))
    assert f"{tmp_path / 'paper.yaml'}:4:1" in told
    assert "notes" in told
    told = problem(write(tmp_path, "claim: bare/wins", PAPER.replace("[bare.yaml]", "[bar.yaml]")))
    assert "paper.yaml:2:15: experiments.0: there is no file" in told
    assert "bare.yaml" in told.partition("fix: ")[2]


def test_a_wrong_spec_of_a_paper_is_told_as_that_specs_mistake(tmp_path: Path) -> None:
    path = write(tmp_path, "claim: bare/wins")
    (tmp_path / "bare.yaml").write_text(BARE + "bogus: 1\n")
    assert f"{tmp_path / 'bare.yaml'}:5:1" in problem(path)


def test_a_paper_is_known_by_its_list_of_experiments(tmp_path: Path) -> None:
    assert is_paper(write(tmp_path, "claim: bare/wins"))
    assert not is_paper(tmp_path / "bare.yaml")
    assert not is_paper(tmp_path / "none.yaml")


@pytest.mark.parametrize("path", sorted(SPECS.glob("_*.yaml")), ids=lambda path: path.stem)
def test_what_is_shipped_to_lie_over_specs_is_in_order(path: Path) -> None:
    check_overlay(path)


def test_an_overlay_with_a_strange_word_or_network_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "_small.yaml"
    for text, place, fix in (
        ("trian: {epochs: 1}\n", "1:1", "train"),
        ("replace: {tiny_vit_6m: {arch: tiny_vit_5m}}\n", "1:11", "tiny_vit_5m"),
    ):
        path.write_text(text)
        with pytest.raises(SpecError) as refused:
            check_overlay(path)
        assert str(refused.value).startswith(f"{path}:{place}")
        assert fix in str(refused.value).partition("fix: ")[2]
