"""The file that the manual gives for SkyPilot, read by SkyPilot itself, which rents nothing here."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.docs.blocks import ROOT, blocks

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]
PYTHON = ROOT / ".venv-sky" / "bin" / "python"  # of make cluster
READ = """\
import json, sys, sky
task = sky.Task.from_yaml(sys.argv[1])
one = list(task.resources)[0]
print(json.dumps({"name": task.name, "run": task.run, "gpus": one.accelerators, "cpus": one.cpus, "envs": task.envs}))
"""


@pytest.fixture
def text() -> str:
    if not PYTHON.exists():
        pytest.skip("SkyPilot is not installed in .venv-sky: make cluster does that")
    return next(block.text for block in blocks(ROOT / "docs/howto/skypilot.md") if block.language == "yaml")


def read(text: str, folder: Path) -> subprocess.CompletedProcess[str]:
    (folder / "dist").mkdir()
    (folder / "xp.sky.yaml").write_text(text)
    environment = {**os.environ, "HOME": str(folder), "SKYPILOT_DISABLE_USAGE_COLLECTION": "1"}
    words = [str(PYTHON), "-c", READ, "xp.sky.yaml"]
    return subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, timeout=200, check=False)


def test_skypilot_reads_the_file_of_the_manual(text: str, tmp_path: Path) -> None:
    done = read(text, tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["name"] == "xp-worker"
    assert (told["gpus"], told["cpus"]) == ({"A100": 1}, "8+")
    assert told["run"].strip().endswith("xp worker --until-idle")
    assert told["envs"]["XP_HOME"].startswith("/xp")


def test_skypilot_would_say_so_of_a_wrong_word(text: str, tmp_path: Path) -> None:
    done = read(text.replace("accelerators", "acelerators"), tmp_path)
    assert done.returncode != 0
    assert "acelerators" in done.stdout + done.stderr
