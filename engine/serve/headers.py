"""What every answer tells the browser: takes the headers of an answer, gives them with all that it must not do.

A page runs our scripts alone, none that stand in it, and loads nothing from elsewhere. An answer may have a policy of
its own where that allows less, or styles of its own, or a script that is known by its digest: a report, a drawing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

Pairs = list[tuple[bytes, bytes]]
STATIC = "/static/"  # style and scripts of every xp, which say nothing of a home
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; base-uri 'none'; form-action 'self'"
)
OWN_POLICY = {
    "default-src": r"'none'",
    "script-src": r"'none'|'sha256-[A-Za-z0-9+/=]+'",
    "style-src": r"'self'|'unsafe-inline'",
    "img-src": r"'self'|data:",
    "font-src": r"'self'|data:",
    "sandbox": r"allow-downloads",
}
"""What a word of each directive may be, in a policy that an answer has of its own."""
ALWAYS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
KEPT = {"referrer-policy": "same-origin"}  # what an answer may say instead: the page with the form for the token


@dataclass(frozen=True)
class Guarding:
    """`frames` are the sites that may show pages in a frame; nothing is kept by browsers where reading `is_closed`."""

    frames: tuple[str, ...] = ()
    is_closed: bool = False

    def guard(self, given: Iterable[tuple[bytes, bytes]], path: str) -> Pairs:
        """Return an answer's headers with those that each has, which win over its own."""
        pairs = [(name.lower(), value) for name, value in given]
        own = {name.decode("latin-1"): value.decode("latin-1") for name, value in pairs}
        found = {**ALWAYS, **{name: value for name, value in KEPT.items() if own.get(name) == value}}
        found["content-security-policy"] = self._policy(own.get("content-security-policy", ""))
        found["cache-control"] = self._keeping(own.get("cache-control", ""), path)
        if not self.frames:
            found["x-frame-options"] = "DENY"
        kept = [(name, value) for name, value in pairs if name.decode("latin-1") not in found]
        return kept + [(name.encode(), value.encode("latin-1")) for name, value in found.items()]

    def _policy(self, own: str) -> str:
        base = f"{own}; base-uri 'none'; form-action 'none'" if is_narrow(own) else POLICY
        ancestors = " ".join(self.frames) or "'none'"
        return f"{base}; frame-ancestors {ancestors}"

    def _keeping(self, own: str, path: str) -> str:
        if path.startswith(STATIC):
            return "no-cache"  # it is kept, and asked about each time
        is_harmless = own == "no-cache" or own.startswith("private,")
        return own if is_harmless and not self.is_closed else "no-store"


def is_narrow(policy: str) -> bool:
    """Whether a policy begins with nothing and adds no more than OWN_POLICY does."""
    parts = [part.split() for part in policy.split(";")]
    names = [part[0] if part else "" for part in parts]
    if "default-src" not in names or len(set(names)) < len(names):
        return False
    return all(
        name in OWN_POLICY and all(re.fullmatch(OWN_POLICY[name], word) for word in part[1:])
        for name, part in zip(names, parts, strict=True)
    )
