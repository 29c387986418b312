"""The homes that use a cache: takes a home, notes it in its cache; gives those that were noted there.

A cache outside of a home (XP_CACHE) may be shared, and an entry that this home does not need may be another's.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path

from engine.home.files import read_object, write_json
from engine.home.paths import Home


def note_user(home: Home) -> None:
    """Note that this home uses its cache, wherever that lies."""
    root = str(home.root.absolute()).encode(errors="surrogateescape")
    path = home.cache_users / f"{hashlib.sha256(root).hexdigest()[:16]}.json"
    if path.exists():
        return
    with suppress(OSError, UnicodeEncodeError):
        home.cache_users.mkdir(parents=True, exist_ok=True)
        write_json(path, {"home": str(home.root.absolute())})


def other_users(home: Home) -> list[Path]:
    """Return the roots of the other homes that said they use this cache, gone ones too."""
    told = (read_object(path) or {} for path in sorted(home.cache_users.glob("*.json")))
    roots = {Path(str(one["home"])) for one in told if "home" in one}
    return sorted(roots - {home.root.absolute()})
