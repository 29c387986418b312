"""Near-duplicates: how many planted copies are found, what strangers are taken for copies, what it costs.

    python benchmarks/duplicates.py [--quick] [--json] [--photos ARCHIVE...] [--show FOLDER]

Copies of photographs are planted, one kind of change at a time, and looked for among all photographs. Pairs of
photographs that are found without any planted copy are false, or are copies that came with the set: `--show` writes
each of them as a picture for somebody to look at. The peer is imagehash's pHash (64 bits, at most 10 of them
different), the usual library's usual way; where it is not installed, its column is empty. Time is that of the search,
from thumbnails on, for the photographs and for more: pieces of them, of which no two show the same. Says so where there
are no photographs.
"""

from __future__ import annotations

import argparse
import importlib.util
import io
import json
import os
import time
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from benchmarks import ROOT, Row
from engine.core.data.duplicates import Thumb, group_thumbs, make_thumb, near_pairs

GIVEN = ROOT.parent / "shared" / "data" / "imagenette224"
PEER_BITS = 10
Photo = Image.Image
Change = Callable[[Photo, np.random.Generator], Photo]


def mirrored(photo: Photo, chance: np.random.Generator) -> Photo:
    return ImageOps.mirror(photo)


def cropped(photo: Photo, chance: np.random.Generator, share: float = 0.9) -> Photo:
    """Keep nine tenths of each side, anywhere."""
    width, height = round(share * photo.width), round(share * photo.height)
    left, top = (int(chance.integers(0, room + 1)) for room in (photo.width - width, photo.height - height))
    return photo.crop((left, top, left + width, top + height))


def centred(photo: Photo, chance: np.random.Generator) -> Photo:
    """Take a tenth away on each of the four sides."""
    across, down = photo.width // 10, photo.height // 10
    return photo.crop((across, down, photo.width - across, photo.height - down))


def brightened(photo: Photo, chance: np.random.Generator) -> Photo:
    return photo.point(lambda level: min(255, level + 15))


def lighter(photo: Photo, chance: np.random.Generator) -> Photo:
    return photo.point(lambda level: round(255 * (level / 255) ** 0.7))


def darker(photo: Photo, chance: np.random.Generator) -> Photo:
    return photo.point(lambda level: round(255 * (level / 255) ** 1.5))


def recoded(photo: Photo, chance: np.random.Generator) -> Photo:
    held = io.BytesIO()
    photo.save(held, "JPEG", quality=40)
    return Image.open(io.BytesIO(held.getvalue())).convert("RGB")


def resized(photo: Photo, chance: np.random.Generator) -> Photo:
    factor = float(chance.choice([0.4, 0.6, 1.7]))
    return photo.resize((round(factor * photo.width), round(factor * photo.height)), Image.Resampling.BICUBIC)


def stretched(photo: Photo, chance: np.random.Generator) -> Photo:
    return photo.resize((round(1.3 * photo.width), photo.height), Image.Resampling.BICUBIC)


def several(photo: Photo, chance: np.random.Generator) -> Photo:
    return recoded(brightened(cropped(mirrored(photo, chance), chance), chance), chance)


KINDS: dict[str, Change] = {
    "mirrored": mirrored,
    "cropped by 10 %": cropped,
    "10 % off each side": centred,
    "brightened by 15": brightened,
    "gamma 0.7": lighter,
    "gamma 1.5": darker,
    "JPEG of quality 40": recoded,
    "resized": resized,
    "stretched": stretched,
    "mirrored, cropped, brightened, JPEG": several,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer photographs and copies: a minute")
    parser.add_argument("--json", action="store_true", help="print one JSON list and nothing else")
    parser.add_argument("--photos", nargs="+", type=Path, help="zip archives of photographs")
    parser.add_argument("--show", type=Path, help="write the pairs that were found among the photographs here")
    chosen = parser.parse_args()
    archives = chosen.photos or sorted(GIVEN.glob("*.zip"))
    rows = compare_all(archives, chosen.quick, chosen.show) if archives else []
    if chosen.json:
        print(json.dumps([row.__dict__ for row in rows]))
        return
    if not rows:
        print(f"skipped: there are no photographs in {GIVEN}; name archives with --photos")
    for row in rows:
        peer = "-" if row.peer is None else f"{row.peer:.4g}"
        print(f"{row.case:40} {row.figure:32} {row.ours:9.4g} {peer:>9} {row.unit} (n={row.n})")


def compare_all(archives: Sequence[Path], quick: bool, show: Path | None) -> list[Row]:
    photos = read_photos(archives, 700 if quick else None)
    copies = 200 if quick else 1000
    rows = [_recall_row(photos, kind, copies) for kind in KINDS]
    pairs = false_pairs(photos)
    if show:
        save_pairs(photos, pairs, show)
    rows.append(_row("photographs as they are", "pairs found", len(pairs), _peer_pairs(photos), "pairs", len(photos)))
    for side in (1, 2) if quick else (1, 2, 6):
        count, seconds = search_time(photos, side)
        each = 1000 * seconds / count
        rows.append(_row(f"search among {count} images", "time for 1,000", each, None, "CPU s", count))
        rows.append(_row(f"search among {count} images", "time", seconds, None, "CPU s", count))
    return rows


def _row(case: str, figure: str, ours: float, peer: float | None, unit: str, n: int) -> Row:
    share = ours / peer if peer and unit == "%" else None
    return Row(case, figure, ours, peer, share, unit, n)


def read_photos(archives: Sequence[Path], most: int | None = None) -> list[Photo]:
    """Return the photographs of zip archives, `most` of them at even distances."""
    names = [(path, name) for path in archives for name in sorted(zipfile.ZipFile(path).namelist())]
    names = [(path, name) for path, name in names if name.lower().endswith((".jpeg", ".jpg", ".png"))]
    if most is not None and most < len(names):
        names = [names[place] for place in np.linspace(0, len(names) - 1, most).astype(int)]
    opened = {path: zipfile.ZipFile(path) for path in archives}
    try:
        return [Image.open(io.BytesIO(opened[path].read(name))).convert("RGB") for path, name in names]
    finally:
        for archive in opened.values():
            archive.close()


def planted(photos: Sequence[Photo], kind: str, copies: int) -> tuple[NDArray[np.int64], list[Photo]]:
    """Return which photographs were copied, and the copies."""
    chance = np.random.default_rng(0)
    chosen = chance.permutation(len(photos))[:copies]
    return chosen, [KINDS[kind](photos[row], chance) for row in chosen]


def thumbs_of(photos: Sequence[Photo]) -> list[Thumb | None]:
    return [make_thumb(np.asarray(photo)) for photo in photos]


def recall(photos: Sequence[Photo], kind: str, copies: int = 1000) -> float:
    """Return the share of planted copies that are in the group of their original."""
    chosen, made = planted(photos, kind, copies)
    groups = group_thumbs(thumbs_of([*photos, *made]))
    return float((groups[len(photos) :] == groups[chosen]).mean())


def _recall_row(photos: Sequence[Photo], kind: str, copies: int) -> Row:
    chosen, made = planted(photos, kind, copies)
    ours, peer = 100 * recall(photos, kind, copies), None
    if codes := _peer_codes([*(photos[row] for row in chosen), *made]):
        apart = [one - other for one, other in zip(codes[: len(chosen)], codes[len(chosen) :], strict=True)]
        peer = 100 * float(np.mean([bits <= PEER_BITS for bits in apart]))
    return _row(kind, "copies found", ours, peer, "%", len(chosen))


def false_pairs(photos: Sequence[Photo]) -> list[tuple[int, int]]:
    """Return the pairs among photographs that are found without a planted copy."""
    thumbs = [thumb for thumb in thumbs_of(photos) if thumb is not None]
    return sorted({(min(pair), max(pair)) for pair in near_pairs(np.stack(thumbs))})


def _peer_codes(photos: Sequence[Photo]) -> list[Any]:
    if importlib.util.find_spec("imagehash") is None:
        return []
    phash: Any = importlib.import_module("imagehash").phash
    return [phash(photo) for photo in photos]


def _peer_pairs(photos: Sequence[Photo]) -> float | None:
    codes = [np.packbits(code.hash).view(np.uint64)[0] for code in _peer_codes(photos)]
    if not codes:
        return None
    held = np.array(codes)
    near = [np.bitwise_count(code ^ held[row + 1 :]) <= PEER_BITS for row, code in enumerate(held)]
    return float(sum(int(some.sum()) for some in near))


def search_time(photos: Sequence[Photo], side: int) -> tuple[int, float]:
    """Cut each photograph into side x side pieces; return how many these are and the CPU seconds of their search."""
    pieces = [piece for photo in photos for piece in _pieces(photo, side)]
    thumbs = thumbs_of(pieces)
    begun = time.process_time()
    group_thumbs(thumbs)
    return len(pieces), time.process_time() - begun


def _pieces(photo: Photo, side: int) -> list[Photo]:
    width, height = photo.width // side, photo.height // side
    spots = [(width * column, height * row) for row in range(side) for column in range(side)]
    return [photo.crop((left, top, left + width, top + height)) for left, top in spots]


def save_pairs(photos: Sequence[Photo], pairs: Sequence[tuple[int, int]], folder: Path) -> None:
    """Write each pair side by side."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, pair in enumerate(pairs):
        sheet = Image.new("RGB", (512, 256))
        for place, row in enumerate(pair):
            sheet.paste(photos[row].resize((254, 254)), (256 * place, 0))
        sheet.save(folder / f"pair_{number:03d}.png")


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
