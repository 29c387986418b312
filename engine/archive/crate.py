"""What is said about an archive: takes its contents, gives RO-Crate 1.1 metadata and a page for who unpacks it.

RO-Crate Metadata Specification 1.1 (https://w3id.org/ro/crate/1.1): a descriptor, the root data set with name,
description, date and licence, and an entity for each file that a person would open; the job folders are one data set.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from engine.archive.members import CRATE, HOME, LICENCE, README, SUMS

CONTEXT = "https://w3id.org/ro/crate/1.1/context"
CONFORMS = "https://w3id.org/ro/crate/1.1"
FORMATS = {
    ".md": "text/markdown", ".html": "text/html", ".tex": "application/x-tex", ".svg": "image/svg+xml",
    ".pdf": "application/pdf", ".png": "image/png", ".json": "application/json", ".yaml": "application/yaml",
    ".txt": "text/plain", ".parquet": "application/vnd.apache.parquet",
}  # fmt: skip
UNSTATED = "No licence was stated for these results; ask their authors. That of the software is in LICENSE."
Entity = dict[str, Any]


@dataclass(frozen=True)
class Contents:
    """What an archive is about: experiments by name with their titles, when the last was submitted (unix seconds),
    the licence that its authors named, and of each file its bytes and sha256."""

    titles: Mapping[str, str]
    submitted_at: float
    licence: str | None
    version: str
    files: Mapping[str, tuple[int, str]]


def describe_crate(told: Contents) -> Entity:
    """Return the JSON-LD of `ro-crate-metadata.json`."""
    shown = [name for name in sorted(told.files) if not name.startswith(f"{HOME}/")]
    parts = [{"@id": name} for name in (*shown, SUMS)] + [{"@id": f"{HOME}/"}]
    names = ", ".join(told.titles)
    root: Entity = {
        "@id": "./", "@type": "Dataset", "name": f"Experiments: {names}",
        "description": "; ".join(f"{name}: {title}" for name, title in told.titles.items()),
        "datePublished": datetime.fromtimestamp(told.submitted_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "license": {"@id": "#licence"} if told.licence is None else {"@id": told.licence},
        "hasPart": parts, "mentions": {"@id": "#made"},
    }  # fmt: skip
    descriptor = {
        "@id": CRATE, "@type": "CreativeWork", "conformsTo": {"@id": CONFORMS}, "about": {"@id": "./"},
    }  # fmt: skip
    return {
        "@context": [CONTEXT, {"sha256": "https://schema.org/sha256"}],
        "@graph": [descriptor, root, *_others(told), *(_file(name, *told.files[name]) for name in shown)],
    }


def _others(told: Contents) -> Iterator[Entity]:
    yield {
        "@id": f"{HOME}/", "@type": "Dataset", "name": "Job folders",
        "description": "Submissions and, of each job, settings, journals, provenance and result, as xp wrote them",
    }  # fmt: skip
    yield {"@id": SUMS, "@type": "File", "name": "Checksums", "encodingFormat": "text/plain",
           "description": "sha256 of every member but itself and archive.json"}  # fmt: skip
    yield {"@id": "#xp", "@type": "SoftwareApplication", "name": "xp", "version": told.version}
    yield {"@id": "#made", "@type": "CreateAction", "name": "Ran the experiments and rendered their report",
           "instrument": {"@id": "#xp"}, "result": {"@id": "./"}}  # fmt: skip
    if told.licence is None:
        yield {"@id": "#licence", "@type": "CreativeWork", "name": "Not stated", "description": UNSTATED}
    else:
        yield {"@id": told.licence, "@type": "CreativeWork", "name": told.licence}


def _file(name: str, size: int, digest: str) -> Entity:
    ending = name[name.rfind(".") :] if "." in name else ""
    kind = FORMATS.get(ending, "text/plain" if name == LICENCE else "application/octet-stream")
    return {
        "@id": name, "@type": "File", "name": name, "encodingFormat": kind, "contentSize": str(size), "sha256": digest,
    }  # fmt: skip


def licence_address(word: str) -> str:
    """Return an address for what a person named: an SPDX id becomes the page that holds its text."""
    return word if "://" in word else f"https://spdx.org/licenses/{word}"


def write_readme(names: Sequence[str], licence: str | None, left_out: int) -> str:
    """Return README.md of an archive."""
    rights = f"Licence of the results: {licence}." if licence else UNSTATED
    networks = f"{left_out} trained networks are not inside; their sha256 stand in archive.json." if left_out else ""
    return README_TEXT.format(names=", ".join(names), rights=rights, networks=networks)


README_TEXT = f"""# {{names}}

Experiments as [xp](LICENSE) ran them. Check the file, and render its report once more from the job folders in it:

    xp archive verify FILE
    xp archive verify FILE --rerun 1        # do a run again, too, and say which numbers repeat

or, without xp, unpack it and run `sha256sum -c {SUMS}`.

| folder | holds |
|---|---|
| report/ | pages and figures |
| results/ | every relation of the results as Parquet |
| specs/ | the specs as submitted (`xp submit specs/NAME.yaml`), and resolved with every default |
| environment/ | the packages that attempts ran with, as requirements |
| {HOME}/ | submissions and job folders, from which all of this is made: `xp rebuild --home {HOME}` |

{{networks}}
Job folders name hosts and paths of the machines that they ran on.
{{rights}}
"""

__all__ = ["README", "Contents", "describe_crate", "licence_address", "write_readme"]
