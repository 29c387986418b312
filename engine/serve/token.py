"""The token that orders need: takes a home, gives the token that is kept there; slows down who guesses.

It is kept so that a server that comes back after a kill knows the pages that are still open. The file is its owner's
alone, also in a home that a group shares: one that others could have written or read is not believed.
"""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import stat
import time
import uuid
from collections import deque
from dataclasses import dataclass, field
from hashlib import sha256
from hmac import compare_digest
from hmac import new as make_hmac
from pathlib import Path

from engine.errors import XpError
from engine.serve.refusals import Refusal

RIGHT = re.compile(r"[A-Za-z0-9._~-]{16,200}")  # what an address may hold after its #
LONGEST = 4096  # bytes of a file that holds one
REMEMBERED = 60.0  # seconds that a wrong token counts
FIRST_WAIT, LONGEST_WAIT = 0.1, 5.0  # seconds
MOST_WAITING = 8  # wrong tokens that are being waited for at once


def check_token(text: str) -> str:
    """Return a token of somebody's own. Raises XpError for one that could be guessed or does not fit an address."""
    if not RIGHT.fullmatch(text):
        fix = "16 to 200 letters, digits and . _ ~ -; or 'auto', and one is made"
        raise XpError("a token must be longer, or of other characters", where="--token", fix=fix)
    return text


def keep_token(path: Path) -> str:
    """Return the token kept in a file, else a new one, which is kept there where the folder can be written."""
    found = _read_token(path)
    if found:
        return found
    made = secrets.token_urlsafe(32)
    try:
        return _write_token(path, made)
    except OSError:  # a home that cannot be written is still shown
        return made


def _read_token(path: Path) -> str:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return ""
    with os.fdopen(handle, "rb") as file:
        about = os.fstat(file.fileno())
        is_ours = stat.S_ISREG(about.st_mode) and about.st_uid == os.geteuid() and not about.st_mode & 0o077
        text = file.read(LONGEST).decode("ascii", "replace").strip() if is_ours else ""
    return text if RIGHT.fullmatch(text) else ""


def _write_token(path: Path, token: str) -> str:
    beside = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w") as file:
            file.write(token + "\n")
        try:
            os.link(beside, path)
        except FileExistsError:
            # Another server of this home was faster: both have one token. Or what lies there is none.
            other = _read_token(path)
            if other:
                return other
            os.replace(beside, path)
        return token
    finally:
        beside.unlink(missing_ok=True)


@dataclass
class Lock:
    """One token, and how often a wrong one was tried lately."""

    token: str = field(repr=False)
    _wrong: deque[float] = field(default_factory=deque)
    _waiting: int = 0

    @property
    def cookie_name(self) -> str:
        """A name of its own for each token: two servers on one machine share a browser's cookies."""
        return f"xp-{sha256(self.token.encode()).hexdigest()[:8]}"

    @property
    def cookie(self) -> str:
        """What a browser keeps that may read: the token does not follow from it, so it gives no orders."""
        return make_hmac(self.token.encode(), b"may read", "sha256").hexdigest()

    def fits(self, given: str) -> bool:
        return compare_digest(given.encode(), self.token.encode())

    def fits_cookie(self, given: str) -> bool:
        return compare_digest(given.encode(), self.cookie.encode())

    async def must_fit(self, given: str) -> None:
        """Return at once for the token; raises Refusal for another word, the later the more of them there were."""
        if self.fits(given):
            return
        if given:
            await self._slow_down()
        what = "this is not the token of this server" if given else "this needs the token of this server"
        fix = "open the address that xp serve printed, with all that follows its #"
        raise Refusal(401, what, fix, {"www-authenticate": "XP-Token"})

    async def _slow_down(self) -> None:
        now = time.monotonic()
        while self._wrong and now - self._wrong[0] > REMEMBERED:
            self._wrong.popleft()
        self._wrong.append(now)
        if self._waiting >= MOST_WAITING:
            raise Refusal(429, "too many wrong tokens", "wait a minute", {"retry-after": str(int(REMEMBERED))})
        self._waiting += 1
        try:
            await asyncio.sleep(min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(len(self._wrong) - 1, 10)))
        finally:
            self._waiting -= 1
