"""What `submit --fill` queues: cheapest certainty first, within the budget, the same when it is asked again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from engine.analysis.fill import MOST_FURTHER, Fill, choose_fill, fill_lines
from engine.analysis.holes import DECIDES, Need
from engine.analysis.lacking import Lacking, find_lacking
from engine.home.files import read_json
from engine.home.paths import Home, open_home
from engine.load import load_spec
from engine.plan.subset import Place, place_of
from engine.schedule.submit import submit_plan
from engine.spec import Spec
from store.queue import Queue
from store.queue.submit import HELD

SPEC = """
name: small
data: {source: digits, image_size: 32, split: 60/20/20}
student: {arch: tiny_vit, dims: [8, 16, 16, 16], depths: [1, 1, 1, 1], heads: [1, 1, 1, 1], windows: [2, 2, 2, 2]}
train: {epochs: 1, precision: fp32}
explain: {images: 1}
seeds: [0, 1]
arms:
  short: {}
  long: {train.epochs: 40}
  longest: {train.epochs: 400}
baseline: short
resources: {gpus: 0}
"""
SHORT, LONG, LONGEST = (tuple((arm, "default", seed) for seed in (0, 1)) for arm in ("short", "long", "longest"))


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> Spec:
    path = tmp_path_factory.mktemp("spec") / "small.yaml"
    path.write_text(SPEC)
    return load_spec(path)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return open_home(tmp_path / "home", create=True)


@pytest.fixture
def lacking(spec: Spec, home: Home) -> Lacking:
    return find_lacking(spec, home)


def chosen_places(fill: Fill) -> list[Place]:
    return [place for need, _ in fill.chosen for place in need.places]


def test_without_results_all_cells_of_the_spec_are_filled_the_cheapest_first(lacking: Lacking) -> None:
    fill = choose_fill(lacking, None)
    assert chosen_places(fill) == [*SHORT, *LONG, *LONGEST]
    assert (fill.filling.held, fill.filling.added, fill.left) == (frozenset(), (), ())
    assert set(fill.filling.order) == {job.key for job in fill.plan.jobs}


def test_what_does_not_fit_is_held_and_stays_part_of_the_experiment(lacking: Lacking) -> None:
    dearest = lacking.price(lacking.jobs_of(LONGEST[:1])).seconds
    fill = choose_fill(lacking, dearest)
    assert set(chosen_places(fill)) == {*SHORT, *LONG}
    assert sum(price.seconds for _, price in fill.chosen) <= dearest
    assert {place_of(run) for run in fill.plan.runs} == {*SHORT, *LONG, *LONGEST}
    assert fill.filling.held == lacking.jobs_of(LONGEST) - lacking.jobs_of([*SHORT, *LONG])
    assert ["budget" in why for _, _, why in fill.left] == [True, True]


def test_what_decides_a_comparison_goes_before_cheaper_cells(spec: Spec, lacking: Lacking) -> None:
    deciding = Need(DECIDES, "a claim", "it would", (*LONG, *LONGEST), 0, 2)
    fill = choose_fill(replace(lacking, needs=(*lacking.needs, deciding)), None)
    assert fill.chosen[0][0] is deciding
    assert chosen_places(fill)[4:6] == list(SHORT)
    # Runs that were chosen for the claim are not paid twice.
    assert sum(price.seconds for _, price in fill.chosen) == pytest.approx(lacking.total.seconds)


def test_of_two_comparisons_the_cheaper_goes_first(lacking: Lacking) -> None:
    dear, cheap = (Need(DECIDES, name, "", places, 0, 2) for name, places in (("dear", LONGEST), ("cheap", LONG)))
    fill = choose_fill(replace(lacking, needs=(dear, cheap)), None)
    assert [need.what for need, _ in fill.chosen] == ["cheap", "dear"]


def test_many_further_seeds_wait_for_a_budget(lacking: Lacking) -> None:
    need = Need(DECIDES, "a claim", "", LONG, 3, 4 + MOST_FURTHER)
    only = replace(lacking, needs=(need,))
    assert choose_fill(only, None).chosen == ()
    assert [price.jobs for _, price in choose_fill(only, 1e9).chosen] == [len(lacking.jobs_of(LONG))]


def test_what_is_said_names_what_is_left_and_why(lacking: Lacking) -> None:
    lines = fill_lines(choose_fill(lacking, 1.0))
    assert len([line for line in lines if line.startswith("left: short (default) seed 0: it does not fit")]) == 1


def test_a_fill_again_changes_nothing_and_none_asks_for_the_rest(spec: Spec, home: Home, lacking: Lacking) -> None:
    budget = lacking.price(lacking.jobs_of([*SHORT, *LONG])).seconds + 1
    numbers = []
    for _ in range(2):
        fill = choose_fill(find_lacking(spec, home), budget)
        numbers.append(submit_plan(fill.plan, home, None, fill.filling).number)
    assert numbers == [1, 1]
    with Queue.open_readonly(home.queue_db) as queue:
        rows = {row.job: row for row in queue.job_rows()}
    assert {job for job, row in rows.items() if row.state == "paused"} == fill.filling.held
    assert {row.reason for row in rows.values() if row.state == "paused"} == {HELD}
    rest = choose_fill(find_lacking(spec, home), None)
    assert submit_plan(rest.plan, home, None, rest.filling).number == 2
    with Queue.open_readonly(home.queue_db) as queue:
        assert "paused" not in queue.job_states().values()


def test_seeds_that_were_added_stay_in_the_record_until_a_plain_submit(
    spec: Spec, home: Home, lacking: Lacking
) -> None:
    need = Need(DECIDES, "a claim", "", (("short", "default", 0),), 0, 1)
    fill = choose_fill(replace(lacking, needs=(need,)), None)
    added = (("short", "default", 2),)
    wider = find_lacking(spec.model_copy(update={"seeds": [0, 1, 2]}), home).plan
    submit_plan(replace(wider, spec=spec), home, None, replace(fill.filling, added=added))
    record = read_json(home.records("small")[-1])
    assert (record["added"], record["spec"]["seeds"]) == ([["short", "default", 2]], [0, 1])
    again = choose_fill(find_lacking(spec, home), None)
    assert again.filling.added == added
    assert "seeds beyond those of the spec" in fill_lines(again)[-1]


def test_the_cheapest_are_ready_first(spec: Spec, home: Home, lacking: Lacking) -> None:
    """Of what runs, not the longest chain begins, which a plain submission would have."""
    fill = choose_fill(lacking, None)
    submit_plan(fill.plan, home, None, fill.filling)
    chains = {entry["job"]: entry["chain"] for entry in read_json(home.records("small")[-1])["jobs"]}
    assert sorted(chains, key=lambda job: -chains[job]) == list(fill.filling.order)
