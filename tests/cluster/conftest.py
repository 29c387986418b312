"""One site of a kind for all tests of this folder; each has a home of its own, and leaves the nodes idle."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cluster.ray_site import RaySite, missing_ray, running_ray
from tests.cluster.slurm_site import SlurmSite, missing_programs, running_site
from tests.cluster.working import PROFILE, RayLab, SlurmLab, make_home_on, ray_profile


@pytest.fixture(scope="session")
def site() -> Iterator[SlurmSite]:
    if why := missing_programs():
        pytest.skip(why)
    # Not under pytest's own folder: the path of a socket may have 108 bytes.
    with tempfile.TemporaryDirectory(prefix="xp-slurm-") as folder, running_site(Path(folder) / "s") as running:
        yield running


@pytest.fixture
def make(site: SlurmSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., SlurmLab]]:
    monkeypatch.setenv("SLURM_CONF", site.environment["SLURM_CONF"])
    site.wait_idle()
    labs: list[SlurmLab] = []

    def made(executor: str = "slurm", profile: str = PROFILE) -> SlurmLab:
        labs.append(SlurmLab(site, make_home_on(tmp_path / str(len(labs)), executor, profile)))
        return labs[-1]

    yield made
    for lab in labs:
        lab.close()
    site.cancel_all()
    site.wait_idle()


@pytest.fixture
def lab(make: Callable[..., SlurmLab]) -> SlurmLab:
    return make()


@pytest.fixture(scope="session")
def ray_site() -> Iterator[RaySite]:
    if why := missing_ray():
        pytest.skip(why)
    with tempfile.TemporaryDirectory(prefix="xp-ray-") as folder, running_ray(Path(folder) / "r") as running:
        yield running


@pytest.fixture
def on_ray(ray_site: RaySite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., RayLab]]:
    """Return what makes a home whose jobs run on Ray, with these words of [ray] as TOML has them."""
    monkeypatch.setenv("RAY_API_SERVER_ADDRESS", ray_site.address)
    ray_site.wait_idle()
    labs: list[RayLab] = []

    def made(executor: str = "ray", **words: str) -> RayLab:
        labs.append(RayLab(ray_site, make_home_on(tmp_path / str(len(labs)), executor, ray_profile(**words))))
        return labs[-1]

    yield made
    for lab in labs:
        lab.close()
    ray_site.stop_all()
    ray_site.wait_idle()


@pytest.fixture
def ray_lab(on_ray: Callable[..., RayLab]) -> RayLab:
    return on_ray()
