"""Published weights: where they lie, whether they are here, and what is said where they are not."""

from __future__ import annotations

from pathlib import Path

import pytest
import timm

from engine.errors import DataError
from engine.home.paths import open_home
from engine.inputs.hub import hub_name, hub_warnings, is_cached, offline_reason
from engine.inputs.missing import absent_inputs
from engine.load import load_spec
from engine.plan import make_plan
from engine.schedule.submit import submit_plan

QUICKSTART = Path(__file__).parents[2] / "specs" / "quickstart.yaml"
ARCH, REPOSITORY = "timm/resnet10t", "timm/resnet10t.c3_in1k"
PROBE = ("teacher.train=null", "teacher.options=null", "teacher.weights=pretrained", "teacher.head=probe")
WORDS = (*PROBE, f"teacher.arch={ARCH}")
MOST_UNKNOWN = 60


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    return tmp_path / "hub"


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


def fill(cache: Path, file: str = "model.safetensors") -> None:
    """Lay a file where the hub's own library keeps it."""
    repository = cache / f"models--{REPOSITORY.replace('/', '--')}"
    for name, text in {"refs/main": "abc", f"snapshots/abc/{file}": "weights"}.items():
        (repository / name).parent.mkdir(parents=True, exist_ok=True)
        (repository / name).write_text(text)


def test_every_name_is_where_timm_looks_for_it() -> None:
    unknown = []
    for name in timm.list_pretrained():
        config = timm.get_pretrained_cfg(name, allow_unregistered=True)
        repository = hub_name(f"timm/{name}")
        assert config is not None
        assert repository in (None, config.hf_hub_id), name
        unknown += [name] if repository is None else []
    assert len(unknown) <= MOST_UNKNOWN


@pytest.mark.parametrize(
    ("arch", "repository"),
    [
        (ARCH, REPOSITORY),
        ("tiny_vit_5m", "timm/tiny_vit_5m_224.dist_in22k_ft_in1k"),
        ("timm/rdnet_tiny", "naver-ai/rdnet_tiny.nv_in1k"),
        ("timm/gcvit_tiny", None),
        ("tiny_vit", None),
    ],
)
def test_a_name_without_a_tag_is_that_of_its_weights(arch: str, repository: str | None) -> None:
    assert hub_name(arch) == repository


@pytest.mark.parametrize("file", ["model.safetensors", "pytorch_model.bin"])
def test_what_was_fetched_is_here(file: str, cache: Path) -> None:
    assert not is_cached(REPOSITORY)
    fill(cache, "config.json")
    assert not is_cached(REPOSITORY)
    fill(cache, file)
    assert is_cached(REPOSITORY)


def test_weights_that_are_not_here_are_a_warning_of_check_and_plan(cache: Path, tmp_path: Path) -> None:
    spec = load_spec(QUICKSTART, WORDS)
    (line,) = absent_inputs(spec)
    begins = (
        f"teacher.weights: pretrained weights of {ARCH} are not in the hub's cache on this machine ({REPOSITORY}): "
    )
    assert line.startswith(begins)
    assert "fails without a network; fix: " in line
    assert "weights: FILE.safetensors" in line
    made = make_plan(spec, open_home(tmp_path / "home", create=True))
    assert (made.warnings, made.is_provisional) == ((line,), False)
    fill(cache)
    assert absent_inputs(spec) == []


@pytest.mark.usefixtures("offline")
def test_weights_that_nothing_may_fetch_are_absent(cache: Path, tmp_path: Path) -> None:
    spec, home = load_spec(QUICKSTART, WORDS), open_home(tmp_path / "home", create=True)
    made = make_plan(spec, home)
    (line,) = made.warnings
    assert "and HF_HUB_OFFLINE is set; fix: unset it, fill the cache, or name a file" in line
    held = {job.kind for job in made.jobs if job.job is None}
    assert held >= {"train", "targets"}
    with pytest.raises(DataError, match=f"{ARCH} are not in the hub's cache .* name a file"):
        submit_plan(made, home)
    assert home.jobs() == []
    fill(cache)
    assert not make_plan(spec, home).is_provisional


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize(("weights", "is_absent"), [("none", False), ("w.safetensors", False), ("pretrained", True)])
def test_only_published_weights_are_looked_for(weights: str, is_absent: bool) -> None:
    assert (offline_reason(ARCH, weights) is not None) == is_absent


def test_the_hub_is_not_looked_for_where_nobody_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.inputs.hub.is_cached", None)
    assert list(hub_warnings(load_spec(QUICKSTART))) == []


def test_each_network_is_told_by_its_place(tmp_path: Path) -> None:
    reference = f"{{match: entropy, reference: {{arch: {ARCH}, weights: pretrained, head: probe}}}}"
    words = ("student.arch=tiny_vit_5m", "student.weights=pretrained", f"distill.temperature={reference}")
    spec = load_spec(QUICKSTART, words)
    paths = [line.partition(": ")[0] for line in hub_warnings(spec)]
    assert paths == ["student.weights", "distill.temperature.reference.weights"]
