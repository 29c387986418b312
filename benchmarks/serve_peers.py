"""The peers of benchmarks/serve.py: fills MLflow's or Aim's own store with runs. Runs in the venv of the peers.

python serve_peers.py mlflow|aim FOLDER RUNS
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

KEYS, PARAMS = 10, 8


def main() -> None:
    name, folder, runs = sys.argv[1:]
    Path(folder).mkdir(parents=True, exist_ok=True)
    FILLERS[name](Path(folder), int(runs))


def fill_mlflow(folder: Path, runs: int) -> None:
    """Write runs with their last metrics and parameters into MLflow's tables, and let SQLite look at them (ANALYZE)."""
    # Beside this file, where the peers' Python finds it.
    store: Any = importlib.import_module("store_mlflow")
    _, experiment = store._open_client(folder)
    store._fill_runs(folder, experiment, runs)


def fill_aim(folder: Path, runs: int) -> None:
    """Log runs with their last metrics and parameters through Aim's own interface: it has no other."""
    aim: Any = importlib.import_module("aim")
    repo = aim.Repo.from_path(str(folder), init=True)
    for at in range(runs):
        run = aim.Run(
            repo=repo, experiment="bench", system_tracking_interval=None, log_system_params=False,
            capture_terminal_logs=False,
        )  # fmt: skip
        run["hparams"] = {f"param{key}": str(at % (key + 2)) for key in range(PARAMS)}
        for key in range(KEYS):
            run.track(((at * 7919 + key) % 100_003) / 1e5, name=f"key{key}", step=0)
        run.close()


FILLERS: dict[str, Callable[[Path, int], None]] = {"mlflow": fill_mlflow, "aim": fill_aim}

if __name__ == "__main__":
    main()
