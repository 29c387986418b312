"""One site for all tests of this folder; each has a home of its own, and leaves the nodes idle."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cluster.slurm_site import SlurmSite, missing_programs, running_site
from tests.cluster.working import PROFILE, Lab, make_lab


@pytest.fixture(scope="session")
def site() -> Iterator[SlurmSite]:
    if why := missing_programs():
        pytest.skip(why)
    # Not under pytest's own folder: the path of a socket may have 108 bytes.
    with tempfile.TemporaryDirectory(prefix="xp-slurm-") as folder, running_site(Path(folder) / "s") as running:
        yield running


@pytest.fixture
def make(site: SlurmSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Lab]]:
    monkeypatch.setenv("SLURM_CONF", site.environment["SLURM_CONF"])
    site.wait_idle()
    labs: list[Lab] = []

    def made(executor: str = "slurm", profile: str = PROFILE) -> Lab:
        labs.append(make_lab(site, tmp_path / str(len(labs)), executor, profile))
        return labs[-1]

    yield made
    for lab in labs:
        lab.close()
    site.cancel_all()
    site.wait_idle()


@pytest.fixture
def lab(make: Callable[..., Lab]) -> Lab:
    return make()
