"""What a request may look like: takes its method, address and headers, gives a Request or raises a Refusal.

Two readers of one request may differ on what they are not meant to hold: a proxy may see another path or another end
of the body than this server does. So whatever can be read in two ways is refused, before anything acts on it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

from engine.serve.refusals import Refusal

Scope = MutableMapping[str, Any]
METHODS = ("GET", "HEAD", "POST")
READING = ("GET", "HEAD")
MOST_ADDRESS = 8192  # bytes, with its query
LONGER = {"/sql": 32_768}  # what begins so holds a query as somebody wrote it
MOST_HEADERS, MOST_HEADER_BYTES = 100, 16_384
MOST_HEAD = MOST_HEADER_BYTES + max(LONGER.values())  # bytes before a body
MOST_WORDS = 200  # of a query, as of a form
ONCE = ("host", "origin", "content-length", "content-type", "transfer-encoding", "x-xp-token", "sec-fetch-site")
BAD_PERCENT = re.compile(rb"%(?![0-9A-Fa-f]{2})")
HIDDEN_SLASH = re.compile(rb"%(?:2f|5c)", re.IGNORECASE)
STEPPING = re.compile(r"(?:^|/)\.\.?(?:/|$)|//|\\")  # .., ., an empty name, another system's slash
CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True)
class Request:
    """A request whose shape is right; names of headers are lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    who: str

    @property
    def is_reading(self) -> bool:
        return self.method in READING

    def header(self, name: str) -> str:
        return self.headers.get(name, "")


def read_request(scope: Scope) -> Request:
    """Return the request of an ASGI scope. Raises Refusal."""
    method = str(scope["method"])
    if method not in METHODS:
        raise Refusal(405, "this method does nothing here", "use GET, HEAD or POST", {"allow": ", ".join(METHODS)})
    if scope.get("http_version", "1.1") not in ("1.0", "1.1"):
        raise Refusal(505, "this version of HTTP is not spoken here")
    _check_address(scope)
    headers = _read_headers(scope["headers"])
    request = Request(method, str(scope["path"]), headers, show_peer(scope))
    _check_body(request)
    return request


def show_peer(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else "an unknown peer"


def _check_address(scope: Scope) -> None:
    raw = scope.get("raw_path") or str(scope["path"]).encode()
    query = bytes(scope.get("query_string", b""))
    most = next((most for start, most in LONGER.items() if raw.startswith(start.encode())), MOST_ADDRESS)
    if len(raw) + len(query) > most:
        raise Refusal(414, f"the address has more than {most:,} bytes", "ask for less at once")
    if query.count(b"&") >= MOST_WORDS:
        raise Refusal(400, f"the address has more than {MOST_WORDS} words", "ask for less at once")
    for part in (raw, query):
        _check_encoding(part)
    path = unquote_to_bytes(raw).decode()
    if not path.startswith("/") or STEPPING.search(path) or HIDDEN_SLASH.search(raw) or CONTROL.search(path):
        raise Refusal(400, "this is no address of a page", "follow a link from the first page")


def _check_encoding(part: bytes) -> None:
    try:
        text = unquote_to_bytes(part).decode()
    except UnicodeDecodeError:
        text = "\0"
    if BAD_PERCENT.search(part) or "\0" in text:
        raise Refusal(400, "the address is not encoded as addresses are", "write a per cent sign as %25")


def _read_headers(pairs: list[tuple[bytes, bytes]]) -> dict[str, str]:
    if len(pairs) > MOST_HEADERS or sum(len(name) + len(value) for name, value in pairs) > MOST_HEADER_BYTES:
        raise Refusal(431, "the headers are too large", "remove the cookies of this address from the browser")
    found: dict[str, str] = {}
    for raw_name, raw_value in pairs:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        if name in found and name in ONCE:
            raise Refusal(400, f"the header {name} stands there twice")
        # Cookies and the like may come in several lines, which are one list.
        found[name] = f"{found[name]}; {value}" if name in found else value
    return found


def _check_body(request: Request) -> None:
    length, coding = request.header("content-length"), request.header("transfer-encoding")
    if length and coding:
        raise Refusal(400, "the request names two ends of its body")
    if coding and coding.lower() != "chunked":
        raise Refusal(400, "the body is sent in a way that nobody sends here")
    if length and not (length.isascii() and length.isdigit()):
        raise Refusal(400, "the length of the body is no number")
    if request.is_reading and (coding or length.strip("0")):
        raise Refusal(400, "a request that reads has no body")
