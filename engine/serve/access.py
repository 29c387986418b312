"""Who may read and who may order: takes how a server was started and a request, raises a Refusal for who may not.

On this machine's own address everybody who reaches it may read; a web page elsewhere may not, though the browser that
shows it could. Three things keep it out: the name in Host (a foreign name can be made to lead here), what browsers say
of where a request comes from, and for orders the token, in a header that no foreign page can send.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from ipaddress import IPv4Address, IPv6Address, ip_address

from engine.errors import XpError
from engine.home.paths import Home
from engine.serve.refusals import Refusal
from engine.serve.shapes import Request
from engine.serve.token import Lock, check_token, keep_token

LOCAL_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})
NAME = re.compile(r"[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9_])?")
PLACE = re.compile(r"(?:\[(?P<six>[0-9a-f:.]+)\]|(?P<name>[a-z0-9_.-]+))(?::\d{1,5})?")
SOURCE = re.compile(r"https?://(?P<place>[^/]+)")
MADE = "auto"  # the word for a token that is made


@dataclass(frozen=True)
class Access:
    """How a server may be used.

    `names` are those under which it is known; with `is_open_wide` any address of a machine is one more, and with
    `is_closed` reading needs the token too. `frames` are the sites that may show it in a frame.
    """

    lock: Lock
    names: frozenset[str] = LOCAL_NAMES
    outside: frozenset[str] = frozenset()  # the names of --allow-host
    is_open_wide: bool = False
    is_closed: bool = False
    frames: tuple[str, ...] = ()

    def check_source(self, request: Request) -> None:
        """Raise Refusal for a request under a foreign name, or that a page elsewhere sent."""
        self._check_host(request.header("host").lower())
        site = request.header("sec-fetch-site")
        if request.is_reading:
            # A link from elsewhere may lead here; a picture or script there may not be from here.
            if site in ("cross-site", "same-site") and request.header("sec-fetch-mode") != "navigate":
                raise Refusal(403, "another site asks for this")
            return
        if site not in ("", "same-origin", "none"):
            raise Refusal(403, "another site sends this")
        if "origin" in request.headers:
            self._check_origin(request.header("origin").lower(), request.header("host").lower())

    def _check_host(self, place: str) -> None:
        found = PLACE.fullmatch(place)
        name = (found["six"] or found["name"]).rstrip(".") if found else ""
        if name in self.names or (self.is_open_wide and read_address(name)):
            return
        fix = "use the address that xp serve printed, or start it with --allow-host and the name that you use"
        raise Refusal(421, "this server is not known under this name", fix)

    def _check_origin(self, origin: str, host: str) -> None:
        found = SOURCE.fullmatch(origin)
        place = PLACE.fullmatch(found["place"]) if found else None
        if found is None or place is None or not (found["place"] == host or place["name"] in self.outside):
            raise Refusal(403, "another site sends this")

    def may_read(self, request: Request) -> bool:
        if not self.is_closed:
            return True
        cookie = read_cookie(request.header("cookie"), self.lock.cookie_name)
        return self.lock.fits_cookie(cookie) or self.lock.fits(request.header("x-xp-token"))


def read_cookie(header: str, name: str) -> str:
    try:
        found = SimpleCookie(header).get(name)
    except CookieError:
        return ""
    return found.value if found else ""


def read_address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


def make_access(
    home: Home, host: str, token: str | None = None, allowed: Iterable[str] = (), *, is_framed: bool = False
) -> Access:
    """Return who may use a server that listens on `host`; a `token` that is given is needed to read, too.

    Raises XpError for an address that others reach and no token, and for names and tokens that are none.
    """
    outside = frozenset(_check_name(name) for name in allowed)
    address = None if host == "localhost" else read_address(host)
    if host != "localhost" and address is None:
        raise XpError(f"{host!r} is no address", where="--host", fix="127.0.0.1, ::1, 0.0.0.0, or one of this machine")
    is_local = address is None or address.is_loopback
    if not is_local and token is None:
        fix = "add --token auto; or keep 127.0.0.1 and come through ssh -L 8420:127.0.0.1:8420 THIS_MACHINE"
        raise XpError(f"on {host} whoever reaches this machine could read everything", where="--host", fix=fix)
    own = {host} if is_local else {host, socket.gethostname().lower()}
    secret = keep_token(home.serve_token) if token is None or token == MADE else check_token(token)
    frames = ("'self'", *(f"{way}://{name}:*" for name in sorted(outside) for way in ("https", "http")))
    names = LOCAL_NAMES | own | outside
    return Access(Lock(secret), names, outside, not is_local, token is not None, frames if is_framed else ())


def _check_name(name: str) -> str:
    found = name.lower().rstrip(".")
    if not NAME.fullmatch(found):
        fix = "a name alone, such as hub.example.org: no https://, no port, no *"
        raise XpError(f"{name!r} is no name of a machine", where="--allow-host", fix=fix)
    return found
