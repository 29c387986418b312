"""The quickstart on a real Slurm and a real Ray: the weights are those of this machine, to the bit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine.home.paths import Home
from tests.cluster.calls import count_calls
from tests.cluster.ray_site import RaySite
from tests.cluster.slurm_site import SlurmSite
from tests.cluster.working import ROOT

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1500)]
SITE = 'cpus = 1\nmemory = "1500M"\nmost = 2\n'
SHORT = (
    "train.epochs=1", "train.warmup_epochs=0", "seeds=[0]", "data.views=1", "measure.seconds=0.1", "explain.images=1",
    "arms.distilled.teacher.train.epochs=1", "arms.distilled.teacher.train.warmup_epochs=0",
    "arms.distilled_pruned.prune.recover_epochs=1",
)  # fmt: skip


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The weights of this machine."""
    return weights(run_quickstart(tmp_path_factory.mktemp("quickstart") / "here", "local"))


def test_slurm_gives_the_weights_of_this_machine_in_few_calls(
    here: dict[str, str], site: SlurmSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_CONF", site.environment["SLURM_CONF"])
    site.wait_idle()
    calls = count_calls(tmp_path / "bin", monkeypatch)
    there = run_quickstart(tmp_path / "there", "slurm")
    site.cancel_all()
    site.wait_idle()
    assert weights(there) == here
    assert len(here) == 5, "four students and a teacher"
    assert nodes(there) <= {"n1", "n2"}
    assert nodes(there), "trained on the nodes"
    assert 1 <= calls("sbatch") <= 3


def test_ray_gives_the_weights_of_this_machine(
    here: dict[str, str], ray_site: RaySite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_API_SERVER_ADDRESS", ray_site.address)
    ray_site.wait_idle()
    there = run_quickstart(tmp_path / "there", "ray")
    ray_site.stop_all()
    ray_site.wait_idle()
    assert weights(there) == here
    assert len(here) == 5, "four students and a teacher"
    assert nodes(there), "trained in pilots"


def run_quickstart(folder: Path, executor: str) -> Home:
    """Run the quickstart, shorter, in a home and a cache of its own."""
    folder.mkdir()
    (folder / "xp.toml").write_text(f"[{executor}]\n{SITE}")
    words = ["submit", "specs/quickstart.yaml", "--wait", "--executor", executor, "--home", str(folder / "home")]
    words += [word for change in SHORT for word in ("--set", change)]
    done = subprocess.run(
        [sys.executable, "-m", "engine.cli", *words],
        cwd=ROOT, env=os.environ, capture_output=True, text=True, timeout=1200,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return Home(folder / "home", folder / "home" / "cache")


def weights(home: Home) -> dict[str, str]:
    """Return the digest of each network's weights, by its job."""
    told = {folder.job: json.loads(folder.result.read_text()) for folder in home.jobs()}
    return {job: result["weights_sha256"] for job, result in told.items() if "weights_sha256" in result}


def nodes(home: Home) -> set[str]:
    """Return the nodes of all pilots that took an order."""
    found = set[str]()
    for path in home.pilots_root.glob("*/told.jsonl"):
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        if any(line["told"] == "began" for line in lines):
            found.add(lines[0]["node"])
    return found
