"""A person's own files bear the names of ours and of what we use: what we start finds ours all the same."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.queueing import PROBE, Probe, make_home, states, submit_probes, until

ROOT = Path(__file__).parents[3]
ENTRY = "import sys\nfrom engine.cli import main\nsys.exit(main())\n"  # the script that an installer writes
START = f"""
import sys
from engine.home.paths import open_home
from engine.schedule.worker import start_detached
start_detached(open_home(sys.argv[1]), preload={PROBE!r}, collects=False)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder whose files raise when they are imported, with a spec."""
    made = tmp_path / "mine"
    for name in ("engine.py", "torch.py", "numpy.py", "filelock.py", "store/__init__.py", "tests/__init__.py"):
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_text(f"raise SystemExit('the wrong {name}')")
    (made / "quick.yaml").write_text((ROOT / "specs" / "quickstart.yaml").read_text())
    return made


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"}
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, env=environment, check=False)


def test_commands_run_beside_files_of_our_names(folder: Path, tmp_path: Path) -> None:
    home, xp = str(tmp_path / "home"), tmp_path / "bin" / "xp"
    xp.parent.mkdir()
    xp.write_text(ENTRY)
    for words in (("validate", "quick.yaml"), ("submit", "quick.yaml", "--no-start", "--home", home)):
        answer = run(folder, sys.executable, str(xp), *words)
        assert answer.returncode == 0, answer.stderr


def test_jobs_run_beside_files_of_our_names(folder: Path, tmp_path: Path) -> None:
    """Scheduler and fork server are begun where the person stands."""
    home = make_home(tmp_path)
    submit_probes(home, "one", [Probe("train-1")])
    answer = run(
        folder, sys.executable, "-P", "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}){START}", str(home.root)
    )
    assert answer.returncode == 0, answer.stderr
    until(lambda: states(home) == {"train-1": "done"}, seconds=60.0)
