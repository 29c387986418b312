"""`import xp`: one name for people, whose rooms load when they are touched; the commands as functions."""

from __future__ import annotations

import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from engine import api
from engine.core.network.build import build_network

ROOT = Path(__file__).parents[2]
QUICKSTART = ROOT / "specs" / "quickstart.yaml"


def ask_python(folder: Path, code: str) -> str:
    """Return what a fresh Python prints that finds xp.py as an installation has it."""
    shutil.copy(ROOT / "engine" / "api" / "xp.py", folder / "xp.py")
    head = f"import sys; sys.path[:0] = [{str(folder)!r}, {str(ROOT)!r}]; "
    return subprocess.run([sys.executable, "-c", head + code], capture_output=True, text=True, check=True).stdout


def test_importing_xp_loads_no_room(tmp_path: Path) -> None:
    loaded = "sorted(name for name in sys.modules if name.split('.')[0] in ('engine', 'store', 'torch', 'duckdb'))"
    assert ask_python(tmp_path, f"import xp; print({loaded})") == "['engine', 'engine.api']\n"


def test_what_reads_a_spec_or_waits_loads_no_torch(tmp_path: Path) -> None:
    code = f"import xp; xp.load({str(QUICKSTART)!r}); xp.load_spec, xp.plan, xp.submit; "
    assert ask_python(tmp_path, code + "print([n for n in ('torch', 'duckdb') if n in sys.modules])") == "[]\n"


def test_every_name_is_its_owner_s_own() -> None:
    for name, owner in api.OWNERS.items():
        assert getattr(api, name) is getattr(import_module(owner), name)
    assert api.build_network is build_network
    assert set(api.OWNERS) == set(api.__all__) == set(dir(api))


def test_unknown_name_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="no attribute 'lode_spec'"):
        _ = api.lode_spec
