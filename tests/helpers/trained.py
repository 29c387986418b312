"""Networks as if this engine had trained them: their jobs are planned and written, their results made by hand."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from engine.core.network.build import build_network
from engine.home.files import write_json
from engine.home.paths import Home, open_home
from engine.inputs.ancestors import Ancestors
from engine.inputs.content import file_digest
from engine.inputs.lineage import encode_lineage
from engine.inputs.tensors import tensors_digest
from engine.load import load_spec
from engine.plan import Plan, make_plan
from engine.schedule.submit import submit_plan
from engine.spec.job_settings import TrainSettings

NETWORK = "arch: tiny_vit, dims: [8, 16, 32, 32], depths: [1, 1, 1, 1], heads: [1, 2, 2, 2], windows: [4, 4, 2, 1]"
SPEC = f"""
name: first
data: {{source: digits, image_size: 32, short_side: 32, split: 80/10/10, views: 1}}
student: {{{NETWORK}, drop_path: 0.0}}
train: {{epochs: 1, batch_size: 64, lr: 2.0e-3, warmup_epochs: 0, precision: fp32, threads: 1}}
explain: {{images: 2}}
measure: {{batch_sizes: [1], threads: [1], seconds: 0.05}}
resources: {{gpus: 0}}
"""


@dataclass
class Trainer:
    """Plans one small spec with changes in one home, and makes its networks as if they had been trained."""

    folder: Path
    home: Home

    def __post_init__(self) -> None:
        self.spec.parent.mkdir(parents=True, exist_ok=True)
        self.spec.write_text(SPEC)

    @property
    def spec(self) -> Path:
        return self.folder / "first.yaml"

    def elsewhere(self) -> Trainer:
        """Return one that works in a home of its own."""
        return Trainer(self.folder, open_home(self.folder / "elsewhere", create=True))

    def plan(self, *words: str) -> Plan:
        return make_plan(load_spec(self.spec, words), self.home)

    def train(self, *words: str, role: str = "student", says: bool = True) -> Path:
        """Submit a plan and make the network of `role` with all before it; return its weights file.

        Where `says` is false its header is empty, as before xp wrote lineages, and its result has no tensors' digest.
        """
        made = self.plan(*words)
        submit_plan(made, self.home)
        return self._commit(made, made.runs[0].jobs[role], says)

    def _commit(self, made: Plan, job: str, says: bool) -> Path:
        told = next(one for one in made.jobs if one.key == job)
        for need in told.needs.values():
            if not need.startswith("pack"):
                self._commit(made, need, says)
        folder, winner = self.home.job(job), self.home.job(job).attempt(1)
        file = winner.artifacts / "weights.safetensors"
        if folder.result.exists() or not isinstance(told.settings, TrainSettings):
            return file
        winner.artifacts.mkdir(parents=True)
        network = told.settings.network.model_copy(update={"weights": "none"})
        torch.manual_seed(int(job[-8:], 16))  # no two jobs have one file
        state: dict[str, Any] = dict(build_network(network, told.settings.classes_here, 32).state_dict())
        # What a training writes, worked out from the jobs themselves.
        metadata = encode_lineage(Ancestors(self.home).of_job(job)) if says else None
        save_file({name: value.contiguous() for name, value in state.items()}, file, metadata)
        result: dict[str, Any] = {"job": job, "attempt": 1, "seconds": 1.0, "weights_sha256": file_digest(file)}
        write_json(winner.result, result | ({"tensors_sha256": tensors_digest(file)} if says else {}))
        assert folder.commit(winner)
        return file

    def copy(self, file: Path) -> Path:
        """Return the file under another name, outside of any home."""
        return Path(shutil.copy(file, self.folder / "carried.safetensors"))
