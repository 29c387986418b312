"""The files of others that lie here: whole, as they were published, with their licences, and all named."""

from __future__ import annotations

import hashlib
import re

import pytest

from engine.report.forms.environment import TEMPLATES

VENDOR = TEMPLATES / "serve" / "static" / "vendor"
SUMS = dict(re.findall(r"^([0-9a-f]{64})  (\S+)$", (VENDOR / "VENDORED").read_text(), re.MULTILINE))


@pytest.mark.parametrize("digest", SUMS)
def test_a_vendored_file_is_as_it_was_published(digest: str) -> None:
    assert hashlib.sha256((VENDOR / SUMS[digest]).read_bytes()).hexdigest() == digest


def test_every_vendored_file_has_its_sum() -> None:
    names = re.findall(r"^[0-9a-f]{64}  (\S+)$", (VENDOR / "VENDORED").read_text(), re.MULTILINE)
    assert sorted(names) == sorted(file.name for file in VENDOR.iterdir() if file.name != "VENDORED")


def test_no_file_of_ours_names_another_machine() -> None:
    own = [file for file in (TEMPLATES / "serve").rglob("*") if file.is_file() and file.parent != VENDOR]
    found = {file.name: re.findall(r"https?://(?!www\.w3\.org)[^\s\"']+", file.read_text()) for file in own}
    assert {name: links for name, links in found.items() if links} == {}
