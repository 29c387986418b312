"""`xp archive`: takes a home and names of experiments, gives one file.

Its pages are rendered from the files that it holds, not from the home: whoever has the file can do the same.
"""

from __future__ import annotations

import hashlib
import platform
import shutil
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path

from engine.archive.crate import Contents, describe_crate, licence_address, write_readme
from engine.archive.derive import derive_all, open_small_home
from engine.archive.gather import Gathered, gather_files
from engine.archive.members import (
    ABOUT,
    ARCHIVE_VERSION,
    CRATE,
    FORMATS,
    HOME,
    LICENCE,
    README,
    SUMS,
    About,
    FolderMembers,
    write_sums,
)
from engine.archive.opened import is_known
from engine.archive.pack import pack_folder
from engine.errors import HomeError
from engine.home.files import encode_json
from engine.home.paths import Home
from engine.home.pins import write_pin
from engine.home.records import read_record
from engine.home.seals import seal

PACKAGE = "xp-engine"
CHECKOUT = Path(__file__).parents[2]
OURS = ("engine/**/*.py", "engine/**/*.txt", "store/**/*.py", "store/**/*.sql", "templates/**/*", "specs/published.csv")
MOST_LOOKS = 5
DRAWN_WITH = ("duckdb", "jinja2", "markupsafe", "matplotlib", "numpy", "pillow", "scipy")


@dataclass(frozen=True)
class Made:
    """An archive: its members and bytes, the networks that are not inside, what of it was damaged in the home."""

    path: Path
    members: int
    bytes: int
    left_out: int
    damaged: tuple[str, ...]
    about_sha256: str


def make_archive(
    home: Home,
    names: Sequence[str],
    target: Path,
    *,
    with_weights: bool = False,
    licence: str | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> Made:
    """Write the experiments `names` into `target`, whole or not at all; the same home gives the same bytes.

    Raises QueryError for an unknown experiment, HomeError for a damaged submission or a name that no archive may have.
    """
    names = list(dict.fromkeys(names))
    with tempfile.TemporaryDirectory(prefix="xp-archive-") as place:
        stage, small = Path(place) / "stage", Path(place) / "small"
        gathered = _copy_files(home, names, stage / HOME, with_weights=with_weights)
        tell(f"{len(gathered.files):,} files of the home; making their results and report anew")
        small_home, report = open_small_home(FolderMembers(stage), small)
        derive_all(small_home, names, stage)
        _write_about(home, names, gathered, licence, stage)
        unknown = [name for name in FolderMembers(stage).names() if not is_known(name)]
        if unknown:
            raise HomeError(f"no archive can hold a file of this name: {unknown[0]!r}", fix="rename it")
        count = pack_folder(stage, target)
        told = hashlib.sha256((stage / ABOUT).read_bytes()).hexdigest()
    for name in names:
        runs = read_record(home.records(name)[-1])["runs"]
        write_pin(home, name, "archive", target, [run["run"] for run in runs])
    return Made(target, count, target.stat().st_size, len(gathered.left_out), report.damaged, told)


def _copy_files(home: Home, names: Sequence[str], target: Path, *, with_weights: bool) -> Gathered:
    """Copy the files of the experiments; looked for again where one went away: journals are compacted meanwhile."""
    for _ in range(MOST_LOOKS):
        gathered = gather_files(home, names, with_weights=with_weights)
        shutil.rmtree(target, ignore_errors=True)
        try:
            for name, path in gathered.files.items():
                copy = target / name
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, copy)
        except FileNotFoundError:
            continue
        return gathered
    fix = "wait until its jobs are done, or pause them: xp pause NAME"
    raise HomeError("its files come and go too fast to be copied", where=str(home.root), fix=fix)


def _write_about(home: Home, names: Sequence[str], gathered: Gathered, licence: str | None, stage: Path) -> None:
    """Write what is said about the rest, last the sums of all and what vouches for these."""
    (stage / LICENCE).write_text(own_licence())
    (stage / README).write_text(write_readme(names, licence, len(gathered.left_out)))
    members = FolderMembers(stage)
    files = {name: ((stage / name).stat().st_size, _digest_of(stage / name, name)) for name in members.names()}
    titles = {name: str(read_record(home.records(name)[-1]).get("title") or name) for name in names}
    address = licence_address(licence) if licence else None
    crate = Contents(titles, gathered.submitted_at, address, own_version(), files)
    (stage / CRATE).write_text(encode_json(describe_crate(crate)))
    sums = write_sums(members, members.names())
    (stage / SUMS).write_text(sums)
    about = About(
        version=ARCHIVE_VERSION, experiments=list(names), xp=own_version(), code=code_digest(), made_with=made_with(),
        formats=[*FORMATS], licence=licence, left_out=list(gathered.left_out),
        checksums=hashlib.sha256(sums.encode()).hexdigest(),
    )  # fmt: skip
    (stage / ABOUT).write_text(encode_json(seal(about.model_dump(mode="json"))))


def _digest_of(path: Path, name: str) -> str:
    """Only what the metadata shows has its sum there; all have it among the checksums."""
    return "" if name.startswith(f"{HOME}/") else hashlib.sha256(path.read_bytes()).hexdigest()


def own_licence() -> str:
    """Return the licence of xp, from the checkout or the installed package."""
    if (CHECKOUT / "LICENSE").is_file():
        return (CHECKOUT / "LICENSE").read_text()
    with suppress(PackageNotFoundError):
        return distribution(PACKAGE).read_text("licenses/LICENSE") or ""
    return ""


def own_version() -> str:
    return _version_of(PACKAGE)


def made_with() -> dict[str, str]:
    """Return the versions of what has a say in the bytes of pages, figures and Parquet files."""
    return {"python": platform.python_version(), **{name: _version_of(name) for name in DRAWN_WITH}}


def _version_of(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"


def code_digest() -> str:
    """Return the sha256 of names and contents of our files that have a say in what is derived."""
    total = hashlib.sha256()
    paths = {path for pattern in OURS for path in CHECKOUT.glob(pattern) if path.is_file()}
    for path in sorted(paths):
        total.update(f"{path.relative_to(CHECKOUT).as_posix()}\0".encode() + path.read_bytes() + b"\0")
    return total.hexdigest()
