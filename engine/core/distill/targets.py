"""A teacher's answers, kept: takes a prediction function, gives a checked cache and its reader.

    centre.bin     rows (images of the pack): the centre crop of every image, for diagnosis and calibration
    logits.bin     rows (views, images): the views that students see, of the images that are taught; features too
    manifest.json  what they are of, size and sha256 of both, its own digest; written last

Logits, not probabilities: any temperature can be applied later. What a row is says encoding.py, with features
feature_rows.py.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from engine.core.data.loader import resolve_view_seed
from engine.core.data.pack import Pack
from engine.core.distill.encoding import Answers, RowFormat
from engine.core.distill.feature_rows import FeatureForm, TaughtRows
from engine.errors import DataError, HomeError
from engine.home.files import read_json, write_json
from engine.inputs.content import file_digest
from engine.inputs.splits import Rows
from engine.spec import Data
from engine.spec.identity import VIEW_VERSION, counted_settings, digest_of

TARGETS_VERSION = 3  # 3: the centre crops are the teacher's own, and not the student's
CENTRE, LOGITS = "centre.bin", "logits.bin"


@dataclass(frozen=True)
class Origin:
    """What targets are of: the pack, the rows that are taught, the settings of the views, how many of them.

    `info` says more of the teacher and the surroundings; its `job` is compared when a cache is opened.
    """

    pack: Pack
    rows: Rows
    data: Data
    views: int
    info: Mapping[str, Any]
    seed: int = 0

    def head(self) -> dict[str, Any]:
        """Return all that the manifest says before a logit is known, as plain JSON values."""
        return {
            "version": TARGETS_VERSION,
            "views": self.views,
            "keys": [self.pack.keys[row] for row in self.rows],
            "digest": keys_digest(self.pack, self.rows),
            "pack": keys_digest(self.pack, np.arange(len(self.pack))),
            # What caches on the disk call it.
            "scene": view_settings(self.data, self.seed),
            "info": dict(self.info),
        }


def view_settings(data: Data, seed: int) -> dict[str, Any]:
    """Return what decides the pixels of a view: targets made under other settings do not belong to it."""
    return {
        "view_version": VIEW_VERSION,
        "view_seed": resolve_view_seed(data, seed),
        "augment": counted_settings(data.augment),
        "short_side": data.short_side,
        "format": data.format,
    }


def keys_digest(pack: Pack, rows: Rows) -> str:
    """Return the sha256 over the keys of `rows`, in order."""
    return hashlib.sha256("\n".join(pack.keys[int(row)] for row in rows).encode()).hexdigest()


def write_manifest(folder: Path, origin: Origin, taught: TaughtRows) -> None:
    """Say what the files in `folder` are; from then on they count."""
    # An examination alone, without views, has no logits.bin.
    names = [name for name in (CENTRE, LOGITS) if (folder / name).is_file()]
    files = {name: {"size": (folder / name).stat().st_size, "sha256": file_digest(folder / name)} for name in names}
    manifest = origin.head() | {"classes": taught.form.classes, "kept": taught.form.kept, "files": files}
    if taught.features:
        manifest |= {"features": [list(astuple(one)) for one in taught.features]}
    write_json(folder / "manifest.json", manifest | {"self": digest_of(manifest)})


@dataclass(frozen=True)
class Targets:
    """An opened cache, restricted to the rows it was opened for; `centre` alone knows every image of the pack."""

    views: int
    form: RowFormat
    info: Mapping[str, Any]
    _logits: NDArray[Any] | None
    _centre: NDArray[Any]
    _place: NDArray[np.int64]
    features: tuple[FeatureForm, ...] = ()

    @property
    def classes(self) -> int:
        return self.form.classes

    def lookup(self, view: int, rows: Tensor) -> Answers:
        """Return the teacher's answers on view `view` of pack `rows` (int64 (B,)).

        Raises DataError for a view or a row that is not held: a student reads targets of its own training images only.
        """
        places = self._place[rows.numpy()]
        if self._logits is None or not 0 <= view < self.views:
            raise _absent(f"view {view} of {self.views}")
        if (places < 0).any():
            raise _absent("an image outside of the training set")
        return TaughtRows(self.form, self.features).decode(self._logits[view, places])

    def centre(self, rows: Rows) -> Tensor:
        """Return the teacher's logits, fp32 (n, classes), on the centre crops of pack `rows`: to diagnose, not to train
        on."""
        return self.form.decode(self._centre[rows]).logits


def _absent(wanted: str) -> DataError:
    fix = "this is a fault of xp: please report it"
    return DataError(f"the cached targets do not hold {wanted}", where="targets", fix=fix)


def open_targets(folder: Path, origin: Origin, rows: Rows) -> Targets:
    """Open a cache for the pack's `rows`, every byte verified, and that it is of `origin`.

    Raises DataError when it is damaged, of another teacher, data or views, or lacks one of the rows.
    """
    problem = targets_problem(folder, origin)
    if problem is not None:
        raise DataError(problem, where=str(folder), fix="remove this folder and submit again: it is made again")
    manifest: dict[str, Any] = read_json(folder / "manifest.json")
    place_of = {key: place for place, key in enumerate(manifest["keys"])}
    missing = sum(origin.pack.keys[int(row)] not in place_of for row in rows)
    if missing:
        raise _absent(f"{missing} of {len(rows)} training images")
    place = np.full(len(origin.pack.keys), -1, dtype=np.int64)
    place[rows] = [place_of[origin.pack.keys[int(row)]] for row in rows]
    taught = read_form(manifest)
    shape = (manifest["views"], len(manifest["keys"]))
    logits = map_taught(folder / LOGITS, taught, shape) if manifest["views"] else None
    centre = map_rows(folder / CENTRE, taught.form, (len(origin.pack),))
    return Targets(manifest["views"], taught.form, manifest["info"], logits, centre, place, taught.features)


def read_form(manifest: Mapping[str, Any]) -> TaughtRows:
    """Return how the rows lie that a manifest is of."""
    features = (FeatureForm(*words) for words in manifest.get("features", ()))
    return TaughtRows(RowFormat(manifest["classes"], manifest["kept"]), tuple(features))


def map_rows(path: Path, form: RowFormat, shape: tuple[int, ...]) -> NDArray[Any]:
    """Map a file of rows; with every class kept the last dimension is the classes."""
    if form.kept is None:
        return np.memmap(path, dtype="<f2", mode="r", shape=(*shape, form.classes))
    return np.memmap(path, dtype=form.dtype, mode="r", shape=shape)


def map_taught(path: Path, taught: TaughtRows, shape: tuple[int, ...]) -> NDArray[Any]:
    """Map the file of the views that students see."""
    if not taught.features:
        return map_rows(path, taught.form, shape)
    return np.memmap(path, dtype=taught.dtype, mode="r", shape=shape)


def targets_problem(folder: Path, origin: Origin | None = None) -> str | None:
    """Return what is wrong with a cache (every byte is read), None where it is whole and of `origin`."""
    try:
        manifest: dict[str, Any] = read_json(folder / "manifest.json")
        if manifest["version"] != TARGETS_VERSION:
            return f"the targets are of version {manifest['version']}, this program reads {TARGETS_VERSION}"
        # The digest is of all but itself.
        if manifest.pop("self") != digest_of(manifest):
            return "the targets' manifest is damaged: its digest does not hold"
        problem = None if origin is None else _fit_problem(manifest, origin)
        return problem or _file_problem(folder, manifest)
    except FileNotFoundError as error:
        return f"the targets are not whole: {Path(error.filename).name} is missing"
    except (HomeError, DataError, KeyError, TypeError, AttributeError) as error:
        return f"the targets' manifest is damaged: {error}"


def _file_problem(folder: Path, manifest: dict[str, Any]) -> str | None:
    for name in (CENTRE, LOGITS) if manifest["views"] else (CENTRE,):
        stated = manifest["files"][name]
        if (folder / name).stat().st_size != stated["size"]:
            return f"{name} of the targets has another size than its manifest states"
        if file_digest(folder / name) != stated["sha256"]:
            return f"{name} of the targets is damaged: its checksum does not hold"
    return None


def _fit_problem(manifest: dict[str, Any], origin: Origin) -> str | None:
    wanted = origin.head()
    if manifest["scene"] != wanted["scene"]:
        return "the targets belong to other views: augmentation, view seed or packing differ"
    if manifest["pack"] != wanted["pack"] or manifest["digest"] != wanted["digest"]:
        return "the targets are of other images, or of another split"
    if manifest["views"] != wanted["views"]:
        return f"the targets hold {manifest['views']} views, and {wanted['views']} are asked for"
    if manifest["info"].get("job") != wanted["info"].get("job"):
        return "the targets are those of another teacher"
    return None
