"""The file that an installation has as `xp`: where the wheel takes it from, what it hands on."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from engine import api
from engine.api import xp

ROOT = Path(__file__).parents[2]


def test_wheel_lays_it_beside_the_packages() -> None:
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["force-include"] == {Path(xp.__file__).relative_to(ROOT).as_posix(): "xp.py"}


def test_it_hands_on_every_name() -> None:
    assert [getattr(xp, name) for name in dir(xp)] == [getattr(api, name) for name in api.__all__]
    assert xp.__doc__ == api.__doc__


def test_what_is_not_for_people_stays_inside() -> None:
    with pytest.raises(AttributeError, match="it has: XpError, build_network"):
        _ = xp.import_module
