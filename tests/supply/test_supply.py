"""Pins have hashes, both lists agree, and an audit that could ask nobody does not say that all is well."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.supply.audit import CLEAN, UNKNOWN, VULNERABLE, read_answer
from tests.supply.pins import CONSTRAINTS, LOCK, ROOT, read_hashes, read_pins


def test_the_lock_holds_the_pins_of_the_constraints() -> None:
    locked, pinned = read_pins(LOCK), read_pins(CONSTRAINTS)
    assert {name: locked.get(name) for name in pinned} == pinned


def test_every_locked_package_has_a_hash() -> None:
    counts = read_hashes(LOCK)
    assert counts
    assert [name for name, count in counts.items() if not count] == []


@pytest.mark.parametrize("file", [CONSTRAINTS, LOCK], ids=lambda file: file.name)
def test_pins_name_packages_and_no_address(file: Path) -> None:
    assert "://" not in file.read_text()
    assert "--index-url" not in file.read_text()


def test_every_direct_dependency_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = project["dependencies"] + [name for extra in project["optional-dependencies"].values() for name in extra]
    names = {re.split(r"[>=\[]", line)[0].strip() for line in asked} - {"xp-engine"}
    assert {name.lower().replace("_", "-").replace(".", "-") for name in names} <= set(read_pins(CONSTRAINTS))


def answer_of(*packages: Mapping[str, object]) -> str:
    return json.dumps({"dependencies": packages})


def test_an_audit_that_looked_nothing_up_is_not_clean() -> None:
    audit = read_answer(answer_of({"name": "torch", "skip_reason": "not found"}), ["torch"])
    assert audit.exit_code == UNKNOWN
    assert "NOT audited" in str(audit)
    assert "no known vulnerability" not in str(audit)


def test_an_audit_that_died_is_not_clean() -> None:
    assert read_answer("", ["torch"]).exit_code == UNKNOWN


def test_an_audit_that_asked_for_all_and_found_none_is_clean() -> None:
    audit = read_answer(answer_of({"name": "torch", "vulns": []}), ["torch"])
    assert audit.exit_code == CLEAN
    assert "no known vulnerability" in str(audit)


def test_a_known_vulnerability_ends_the_audit_with_its_name() -> None:
    known = {"name": "torch", "vulns": [{"id": "PYSEC-1"}, {"id": "PYSEC-1"}, {"id": "CVE-2"}]}
    audit = read_answer(answer_of(known, {"name": "timm", "skip_reason": "no"}), ["torch", "timm"])
    assert audit.exit_code == VULNERABLE
    assert "torch: CVE-2, PYSEC-1" in str(audit)
