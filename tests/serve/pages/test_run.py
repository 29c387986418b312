"""The page of a run: what it shows of one that is done, one that was never begun, and none."""

from __future__ import annotations

import re

import pytest

from engine.home.paths import Home
from engine.serve.site import Site
from tests.helpers.synthetic import ARMS, SyntheticHome
from tests.serve.conftest import Browse, published


def run_of(home: Home, arm: str, seed: int = 0) -> str:
    with Site(home).snapshot() as snapshot:
        assert snapshot is not None
        rows = snapshot.db.execute(
            "select run from runs where arm = ? and seed = ? order by run", [arm, seed]
        ).fetchall()
    return str(rows[0][0])


def test_a_run_that_is_done_shows_all_of_it(done_home: Home, browse: Browse) -> None:
    text = browse(done_home).get(f"/run/{run_of(done_home, 'proposed_pruned')}").text
    roles = re.findall(r'<th scope="row">(\w+)<br>', text)
    assert roles == ["pack", "student", "prune", "measure", "explain"]
    for word in ("test top-1 [%]", "Where it came from", "c0ffeec0ffee", "student.attention.kind", "images told right"):
        assert word in text, word
    assert 'data-curve="../run/' in text
    assert "hx-post" not in text, "there is nothing to order about what is done"


def test_maps_are_shown_as_pictures(done_home: Home, browse: Browse) -> None:
    client = browse(done_home)
    page = client.get(f"/run/{run_of(done_home, 'original')}")
    found = client.get(str(page.url.join(re.findall(r'src="([^"]*map_000.png)"', page.text)[0])))
    assert found.headers["content-type"] == "image/png"
    assert found.content.startswith(b"\x89PNG")
    assert "sandbox" in found.headers["content-security-policy"]
    assert "content-disposition" not in found.headers


def test_attempts_have_their_time_and_outcome(done_home: Home, browse: Browse) -> None:
    text = browse(done_home).get(f"/run/{run_of(done_home, 'original')}?part=jobs").text
    assert text.strip().startswith('<section id="jobs"')
    assert len(re.findall(r'class="outcome done"', text)) == 4
    assert "12 s, bench, cpu" in re.sub(r"\s+", " ", text)


def test_an_unknown_run_is_not_found_and_a_short_id_is(done_home: Home, browse: Browse) -> None:
    client, run = browse(done_home), run_of(done_home, "original")
    missing = client.get("/run/run-zork")
    assert missing.status_code == 400
    assert "nothing here is called" in missing.text
    assert run in client.get(f"/run/{run[:-2]}").text


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """One run whose training has a long log and files."""
    made = SyntheticHome(tmp_path_factory.mktemp("log"))
    run = made.experiment("study", {"one": ARMS["original"]}, seeds=(0,))[0]
    attempt = made.home.job(run["jobs"]["student"]).attempt(1)
    attempt.log.write_text("".join(f"line {at}\n" for at in range(1000)) + "\x1b[31m<script>bad()</script>\n")
    attempt.artifacts.mkdir()
    (attempt.artifacts / "weights.bin").write_bytes(b"12345")
    (attempt.artifacts / "n.json").write_text('{"a": "<i>"}')
    return published(made.home)


def test_the_log_is_its_last_lines_and_harmless(home: Home, browse: Browse) -> None:
    client, run = browse(home), run_of(home, "one")
    text = client.get(f"/run/{run}?log=train-{run[4:]}").text
    assert "line 801\n" in text and "line 800\n" not in text
    assert "&lt;script&gt;bad()" in text and "\x1b" not in text
    earlier = re.findall(r'id="log-earlier" href="([^"]*)"', text)[0].replace("&amp;", "&").partition("#")[0]
    assert "line 601\n" in client.get(f"/run/{earlier.partition('/run/')[2]}").text


def test_a_log_is_read_on_by_its_place(home: Home, browse: Browse) -> None:
    client, run = browse(home), run_of(home, "one")
    place = f"/run/{run}/log?job=train-{run[4:]}&attempt=1"
    first = client.get(f"{place}&before=14").json()
    assert first == {"lines": ["line 0", "line 1"], "start": 0, "end": 14}
    last = client.get(f"{place}&after=9000").json()
    assert last["lines"][-1] == "<script>bad()</script>"
    assert client.get(f"{place}&after={last['end']}").json()["lines"] == []
    assert client.get(f"{place}&after=-x&before=").json()["start"] == 0


def test_files_are_saved_and_others_refused(home: Home, browse: Browse) -> None:
    client, run = browse(home), run_of(home, "one")
    place = f"/run/{run}/file/train-{run[4:]}"
    found = client.get(f"{place}/weights.bin")
    assert (found.content, found.headers["content-disposition"]) == (b"12345", 'attachment; filename="weights.bin"')
    for name in ("..%2Fresult.json", "%2e%2e/result.json", "/etc/passwd", "none"):
        assert client.get(f"{place}/{name}").status_code in (400, 404), name
    assert client.get(f"/run/{run}/file/pack-0/weights.bin").status_code == 400
    assert client.get(f"/run/{run}/log?job=..").status_code == 400


def test_a_curve_is_of_all_its_jobs(done_home: Home, browse: Browse) -> None:
    run = run_of(done_home, "proposed_pruned")
    told = browse(done_home).get(f"/run/{run}/curve?name=val_top1&x=epoch").json()
    assert told["series"][0]["x"] == [1, 2, 3, 4, 5, 6]
    assert told["marks"] == [{"x": 3.0, "name": "prune"}]


def test_why_says_what_an_id_is_made_of(done_home: Home, browse: Browse) -> None:
    run = run_of(done_home, "original")
    text = browse(done_home).get(f"/run/{run}?why=train-{run[4:]}").text
    assert "a train job" in text
    assert "Why <code>" not in browse(done_home).get(f"/run/{run}?why=train-0").text


def test_a_run_that_was_not_begun_can_be_paused(half_home: Home, browse: Browse) -> None:
    text = browse(half_home).get(f"/run/{run_of(half_home, 'original', 2)}").text
    assert "not begun" in text
