"""What `xp init` lays out: takes a folder, gives the shipped specs and their schema in it. Overwrites nothing."""

from __future__ import annotations

import json
from pathlib import Path

from engine.errors import HomeError
from engine.spec import Spec

SHIPPED = Path(__file__).parents[2] / "specs"
TEMPLATES = Path(__file__).parents[2] / "templates"
EXAMPLE, OWN_CODE = TEMPLATES / "example", TEMPLATES / "own_code"
SCHEMA_FILE = "xp.schema.json"


def lay_out(folder: Path) -> list[Path]:
    """Copy the shipped specs and the schema to `folder`/specs; return the files that are new."""
    target = folder / "specs"
    try:
        target.mkdir(parents=True, exist_ok=True)
        shipped = sorted(file.relative_to(SHIPPED) for file in SHIPPED.rglob("*.*"))
        made = [target / file for file in shipped if _copy_new(SHIPPED / file, target / file)]
        schema = target / SCHEMA_FILE
        if not schema.exists():
            schema.write_text(json.dumps(Spec.model_json_schema(), indent=1) + "\n")
            made.append(schema)
    except OSError as error:
        raise HomeError(
            f"cannot write here: {error.strerror}", where=str(target), fix="name a folder you may write"
        ) from error
    return made


def lay_out_template(folder: Path) -> list[Path]:
    """Copy the example of a page of one's own to `folder`/template; return the files that are new."""
    return _lay_out_folder(EXAMPLE, folder / "template")


def lay_out_own_code(folder: Path) -> list[Path]:
    """Copy a study with code of one's own to `folder`/own_code; return the files that are new."""
    return _lay_out_folder(OWN_CODE, folder / OWN_CODE.name)


def _lay_out_folder(source: Path, target: Path) -> list[Path]:
    try:
        target.mkdir(parents=True, exist_ok=True)
        files = sorted(path for path in source.iterdir() if path.is_file())
        return [target / file.name for file in files if _copy_new(file, target / file.name)]
    except OSError as error:
        what = f"cannot write here: {error.strerror}"
        raise HomeError(what, where=str(target), fix="name a folder you may write") from error


def _copy_new(source: Path, target: Path) -> bool:
    if target.exists():
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(source.read_bytes())
    return True
