"""A job's program that cannot be imported as long as there is a file, as where the machine lets it open too few."""

from __future__ import annotations

import os
from pathlib import Path

from tests.launch import probe_job

main = probe_job.main
if Path(os.environ["XP_DYING"]).exists():
    os._exit(3)
