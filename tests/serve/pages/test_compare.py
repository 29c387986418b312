"""Arms and runs side by side."""

from __future__ import annotations

import re

import pytest

from engine.analysis.compare import compare_arms
from engine.home.paths import Home
from engine.report.number_text import scale_of
from store.metrics import metric_of
from tests.helpers.synthetic import ARMS, Arm, SyntheticHome
from tests.serve.conftest import Browse, published
from tests.serve.pages.test_run import run_of

THREE = "a=study/original&a=study/proposed&a=study/proposed_pruned"


def test_every_arm_is_tested_against_the_baseline(done_home: Home, browse: Browse) -> None:
    text = browse(done_home).get(f"/compare?{THREE}&metric=test_top1&anyway=1").text
    cell = r'<td data-label="{}">([^<]*)</td>'
    rows = re.findall(rf'<tr><th scope="row">(study/\w+)</th>{cell.format("at")}{cell.format("mean")}', text)
    arms, splits = ("proposed", "proposed_pruned"), ("60/20/20", "80/10/10")
    assert [row[:2] for row in rows] == [(f"study/{arm}", f"data.split={split}") for arm in arms for split in splits]
    compared = compare_arms(done_home, "study/proposed", "study/original", "test_top1", anyway=True)
    assert rows[0][2] == scale_of(metric_of("test_top1")).write(compared[0].means[0])
    assert "after Holm" in text


def test_settings_that_differ_stand_beside_each_other(done_home: Home, browse: Browse) -> None:
    text = browse(done_home).get(f"/compare?{THREE}").text
    paths = re.findall(r'<th scope="row"><code>([^<]*)</code></th>', text)
    assert {"student.attention.kind", "prune.ratio"} <= set(paths)
    assert "train.epochs" not in paths


@pytest.fixture(scope="module")
def unfair_home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Two arms that differ in their images' size beside the factor."""
    made = SyntheticHome(tmp_path_factory.mktemp("unfair"))
    small = {"train": {"epochs": 9, "batch_size": 7, "checkpoint": "last"}}
    made.experiment("study", {"original": ARMS["original"], "odd": Arm(0.63, kind="longformer", settings=small)})
    return published(made.home)


def test_what_is_not_comparable_has_no_p(unfair_home: Home, browse: Browse) -> None:
    client = browse(unfair_home)
    text = client.get("/compare?a=study/original&a=study/odd").text
    assert "study/odd and study/original are not comparable" in text
    assert "train.batch_size" in text
    assert 'data-label="p"' not in text
    assert "Show the statistics anyway" in text
    assert "--anyway" not in text, "a page has no such option"
    anyway = client.get("/compare?a=study/original&a=study/odd&anyway=1").text
    assert 'data-label="p"' in anyway
    assert "these were not held equal" in anyway


def test_runs_have_no_test_over_seeds(done_home: Home, browse: Browse) -> None:
    one, two = run_of(done_home, "original"), run_of(done_home, "proposed")
    text = browse(done_home).get(f"/compare?a={one}&a={two}").text
    assert "no test over seeds" in text
    assert "study/proposed data.split=60/20/20 seed 0" in text
    named = browse(done_home).get("/compare?a=other/alone@1").text
    assert "other/alone data.split=60/20/20 seed 1" in named


def test_names_that_are_not_there_are_told(done_home: Home, browse: Browse) -> None:
    text = browse(done_home).get("/compare?a=study/orginal&a=study/original@7&a=%3Cb%3E&a=other/alone").text
    assert "did you mean &#39;study/original&#39;" in text
    assert "study/original@7" in text
    assert "<b>" not in text
    assert text.count('role="alert"') == 3


def test_curves_are_of_each_arm_at_each_point(done_home: Home, browse: Browse) -> None:
    client = browse(done_home)
    told = client.get(f"/compare/curve?{THREE}&name=val_top1").json()
    assert len(told["series"]) == 6
    assert told["series"][0]["name"] == "study/original, data.split=60/20/20"
    at = client.get(f"/compare/curve?{THREE}&name=val_top1&cell=data.split=60/20/20").json()
    assert [one["name"] for one in at["series"]] == ["study/original", "study/proposed", "study/proposed_pruned"]
    assert "low" in at["series"][0]


def test_gpu_hours_are_only_of_gpus(done_home: Home, browse: Browse) -> None:
    client = browse(done_home)
    assert "Not over GPU-hours: study/original" in client.get(f"/compare?{THREE}").text
    told = client.get(f"/compare/curve?{THREE}&name=val_top1&x=gpu-hours").json()
    assert (told["x"], told["series"]) == ("GPU-hours of training since the first value", [])


def test_one_alone_and_none_say_what_to_do(done_home: Home, empty_home: Home, browse: Browse) -> None:
    assert "choose another" in browse(done_home).get("/compare?a=other/alone").text
    assert "Choose two arms" in browse(empty_home).get("/compare").text
    assert "there is no arm or run" in browse(empty_home).get("/compare?a=x&b=y&smooth=zz&x=q&metric=w").text
