"""What a job works with is what its settings say, by content, or it is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
import torch
from safetensors.torch import save
from torch import nn

from engine.core.data.pack import is_valid_pack
from engine.core.network.build import build_network
from engine.errors import DataError, JobError
from engine.home.files import write_json
from engine.home.paths import Home, JobFolder, open_home
from engine.inputs.content import file_digest
from engine.load import load_spec
from engine.plan import make_plan
from engine.run import inputs
from engine.run.attempt import Attempt
from engine.run.inputs import (
    HomeVisit,
    _state_digest,
    check_digest,
    count_workers,
    first_network,
    load_trained,
    locate_weights,
    make_forward,
    open_images,
    open_needed_pack,
)
from engine.spec import Data, Resources, Student
from engine.spec.job_settings import CPU_WORKERS, JobDetails, PackedData, PackSettings, TrainSettings, ViewedData
from tests.run.bench import DATA, NETWORK, TRAIN_JOB, write_spec
from tests.run.test_memory import make_attempt
from tests.run.test_pack import write_images


def test_data_are_the_settings_with_details_that_say_how() -> None:
    data = ViewedData.model_validate(DATA)
    plain = JobDetails().feed(data)
    assert (plain.image_size, plain.split, plain.workers, plain.cache) == (24, "30/10/60", "auto", "auto")
    told = JobDetails(workers=3, cache="raw", root="/elsewhere").feed(data)
    assert (told.workers, told.cache, told.root) == (3, "raw", None)


@pytest.mark.parametrize(
    ("slot", "asked", "cpus", "expected"),
    [("cpu:0", "auto", 4, CPU_WORKERS), ("cpu:1", 3, 4, 3), ("GPU-1", "auto", 4, 4), ("GPU-1", "auto", 64, 16),
     ("GPU-1", 0, 4, 0)],
)  # fmt: skip
def test_a_gpu_is_fed_by_the_cpus_of_its_job_and_no_more_than_there_are(
    monkeypatch: pytest.MonkeyPatch, slot: str, asked: int | Literal["auto"], cpus: int, expected: int
) -> None:
    monkeypatch.setattr(inputs, "pack_threads", lambda: 16)
    details = JobDetails(workers=asked, resources=Resources(cpus=cpus))
    assert count_workers(details, slot) == expected
    shared = {"auto": max(1, expected // 4)}.get(str(asked), expected)
    assert count_workers(details, slot, 4) == shared, "processes of a job share what it may use"


def packing(source: str) -> PackSettings:
    data = Data.model_validate({"source": source, "root": "/planned" if source == "folder" else None})
    return PackSettings(data=PackedData.of(data), digest="abc")


def test_images_of_a_folder_are_the_planned_ones_or_refused() -> None:
    check_digest(packing("folder"), None, "abc")
    with pytest.raises(DataError, match="have changed") as caught:
        check_digest(packing("folder"), "/images", "abd")
    assert caught.value.where == "/images"
    check_digest(packing("digits"), None, "other")


def test_weights_are_found_by_content_wherever_they_lie(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_bytes(b"1")
    two.write_bytes(b"2")
    model = Student.model_validate({**NETWORK, "weights": f"sha256:{file_digest(two)}"})
    assert locate_weights(model, [None, str(tmp_path / "gone"), str(one), str(two)]).weights == str(two)
    with pytest.raises(JobError, match="have changed"):
        locate_weights(model, [str(one)])
    with pytest.raises(JobError, match="are gone"):
        locate_weights(model, [None, str(tmp_path / "gone")])
    named = Student.model_validate({**NETWORK, "weights": "none"})
    assert locate_weights(named, [str(one)]) is named


def trained(folder: Path) -> tuple[Home, JobFolder, nn.Module]:
    """Return a home with a committed job, and the network whose weights it holds."""
    home = Home(folder, folder / "cache")
    job = home.job("train-1")
    attempt = job.attempt(1)
    attempt.artifacts.mkdir(parents=True)
    torch.manual_seed(3)
    network = build_network(Student.model_validate(NETWORK), 10, 24)
    raw = save(network.state_dict())
    (attempt.artifacts / "weights.safetensors").write_bytes(raw)
    about = {"network": NETWORK, "num_classes": 10, "image_size": 24, "widths": None}
    write_json(attempt.artifacts / "network.json", about)
    digest = file_digest(attempt.artifacts / "weights.safetensors")
    for path in (attempt.result, job.result):
        write_json(path, {"attempt": 1, "weights_sha256": digest})
    return home, job, network


def test_a_trained_network_comes_back_whole_and_in_eval_mode(tmp_path: Path) -> None:
    home, job, network = trained(tmp_path)
    loaded = load_trained(home, job)
    assert not loaded.training
    assert all(torch.equal(value, loaded.state_dict()[name]) for name, value in network.state_dict().items())
    assert load_trained(home, job, "lean").ways.lean  # type: ignore[union-attr]


def test_trained_weights_that_changed_are_never_used(tmp_path: Path) -> None:
    home, job, _ = trained(tmp_path)
    path = job.attempt(1).artifacts / "weights.safetensors"
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(raw)
    with pytest.raises(JobError, match="missing or damaged"):
        load_trained(home, job)
    path.unlink()
    with pytest.raises(JobError, match="missing or damaged"):
        load_trained(home, job)
    with pytest.raises(JobError, match="not done"):
        load_trained(home, home.job("train-2"))


def test_weights_have_a_digest_of_names_values_and_shapes() -> None:
    torch.manual_seed(0)
    base = nn.Linear(4, 3)
    same, other, shaped = nn.Linear(4, 3), nn.Linear(4, 3), nn.Linear(3, 4, bias=False)
    same.load_state_dict(base.state_dict())
    other.load_state_dict(base.state_dict())
    with torch.no_grad():
        other.bias[1] += 1e-6
        shaped.weight.copy_(base.weight.view(4, 3))
    named = nn.Sequential(same)
    flat = nn.Linear(4, 3, bias=False)
    flat.weight = base.weight
    assert _state_digest(base) == _state_digest(same)
    assert len({_state_digest(one) for one in (base, other, named, shaped, flat)}) == 5


def test_a_forward_pass_has_the_networks_own_figures() -> None:
    network = nn.Linear(2, 2)
    network.mean, network.std = (0.1, 0.2, 0.3), (0.4, 0.5, 0.6)  # type: ignore[assignment]
    found = make_forward(network, torch.device("cpu"), "bf16")
    assert (found.mean, found.std, found.precision) == ((0.1, 0.2, 0.3), (0.4, 0.5, 0.6), "bf16")


def test_only_a_new_head_is_drawn_anew(tmp_path: Path) -> None:
    states = []
    for head in (None, "finetune"):
        attempt = make_attempt(tmp_path, 0, "auto")
        write_spec(attempt.job, "train", {}, {**TRAIN_JOB, "head": head})
        attempt = Attempt(attempt.order)
        torch.manual_seed(0)
        states.append(first_network(attempt, 10, 24).state_dict())
    changed = {name for name, value in states[0].items() if not torch.equal(value, states[1][name])}
    assert changed == {"head.fc.weight"}


# A home without the job of the pack -----------------------------------------------------------------------------------


def planned_training(tmp_path: Path, images: Path) -> tuple[str, ViewedData, JobDetails]:
    """Return the id of the pack, and data and details of a training, of a spec over a folder of images."""
    (tmp_path / "spec.yaml").write_text(FOLDER_SPEC.format(root=images))
    plan = make_plan(load_spec(tmp_path / "spec.yaml", ()), open_home(tmp_path / "planned", create=True))
    (job,) = [job for job in plan.jobs if job.kind == "train"]
    assert isinstance(job.settings, TrainSettings)
    return job.needs["pack"], job.settings.data, job.details


FOLDER_SPEC = """
name: few
data: {{source: folder, root: {root}, image_size: 32, short_side: 32, split: 50/0/50}}
student: {{arch: tiny_vit_5m, windows: [4, 4, 2, 1]}}
train: {{epochs: 1, warmup_epochs: 0}}
"""


@pytest.fixture
def images(tmp_path: Path) -> Path:
    return write_images(tmp_path / "images", 8)


def test_images_are_packed_where_only_their_user_is(tmp_path: Path, images: Path) -> None:
    pack, data, details = planned_training(tmp_path, images)
    home = Home(tmp_path / "empty", tmp_path / "empty" / "cache")
    made = open_needed_pack(home, pack, data, HomeVisit(home, details))
    assert (len(made), made.class_names) == (8, ("a", "b"))
    assert is_valid_pack(home.pack(pack))


def test_other_images_than_the_planned_are_not_packed(tmp_path: Path, images: Path) -> None:
    pack, data, details = planned_training(tmp_path, images)
    next(images.rglob("*.bmp")).unlink()
    home = Home(tmp_path / "empty", tmp_path / "empty" / "cache")
    with pytest.raises(JobError, match="the images are not those of pack-") as caught:
        open_needed_pack(home, pack, data, HomeVisit(home, details))
    assert f"copy jobs/{pack}" in caught.value.fix
    assert not home.pack(pack).exists()


@pytest.mark.parametrize("root", [None, "/gone"])
def test_images_that_are_nowhere_are_asked_for(tmp_path: Path, images: Path, root: str | None) -> None:
    pack, data, details = planned_training(tmp_path, images)
    home = Home(tmp_path / "empty", tmp_path / "empty" / "cache")
    with pytest.raises(JobError, match=f"needs {pack}, which is not here, nor are its images"):
        open_needed_pack(home, pack, data, HomeVisit(home, details.model_copy(update={"root": root})))


def test_a_pack_of_this_home_that_is_not_done_is_waited_for(tmp_path: Path) -> None:
    attempt = make_attempt(tmp_path, 0, "auto")
    write_spec(attempt.job, "train", {"pack": "pack-1"}, TRAIN_JOB)
    write_spec(attempt.home.job("pack-1"), "pack", {}, dict(packing("digits")))
    with pytest.raises(JobError, match=r"needs pack-1 \(pack\), which is not done"):
        open_images(Attempt(attempt.order), ViewedData.model_validate(DATA))
