"""Own code that nothing names any more: takes a home, gives copies of code and images of sources that may go.

A copy stays while the settings of any job name it, in this home or in its trash (which undo brings back), and images
while the details of any job do, in any home that uses the cache. What was asked for lately stays too: a plan that is
not submitted yet rests on it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from engine.home.files import read_regular
from engine.home.paths import Home
from engine.inputs.own_code.keeping import kept_at
from engine.inputs.own_images import IMAGES_KEY, images_root
from engine.spec.own_code import DIGEST_DIGITS, settled_digests

LATELY = 3600.0  # seconds
COPY = re.compile(rf"[0-9a-f]{{{DIGEST_DIGITS}}}")
NAMED_IMAGES = re.compile(rf"own_images/({IMAGES_KEY.pattern})")


def spare_code(home: Home) -> Iterator[Path]:
    """Yield copies of code that no job names; none where the settings of a job cannot be read."""
    folders = [path for path in _folders(home.own_code) if COPY.fullmatch(path.name)]
    if not folders:
        return
    texts = list(_texts(home, "spec.json"))
    named = {digest for text in texts if text is not None for digest in settled_digests(text)}
    if None not in texts:
        yield from (path for path in folders if path.name not in named and _is_old(kept_at(path)))


def spare_images(home: Home, others: Sequence[Home]) -> Iterator[Path]:
    """Yield images that sources gave and no job's details name, and what killed plans left of such."""
    folders = [path for path in _folders(images_root(home)) if IMAGES_KEY.match(path.name)]
    if not folders:
        return
    texts = [text for one in (home, *others) for text in _texts(one, "details.json")]
    named = {key for text in texts if text is not None for key in NAMED_IMAGES.findall(text)}
    for path in folders if None not in texts else ():
        key = path.name.partition(".")[0]
        if (path.name != key or key not in named) and _is_old(path.stat().st_mtime):
            yield path


def _folders(root: Path) -> list[Path]:
    if not root.is_dir() or root.is_symlink():
        return []
    return [path for path in sorted(root.iterdir()) if path.is_dir() and not path.is_symlink()]


def _texts(home: Home, name: str) -> Iterator[str | None]:
    """Yield a file of each job, of those in the trash too; None for one that is there and cannot be read."""
    for path in (*home.jobs_root.glob(f"*/{name}"), *home.trash.glob(f"*/items/*/{name}")):
        try:
            yield read_regular(path).decode(errors="replace")
        except (OSError, ValueError):
            yield None


def _is_old(changed: float) -> bool:
    return time.time() - changed >= LATELY
