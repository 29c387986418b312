"""What is refused, and how that is said: takes a status, what is wrong and the fix, gives a page, JSON or a line."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from html import escape

from starlette.responses import Response

from engine.errors import shorten
from store.escape import show_text

MOST_LOGGED = 200  # characters of an address
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{status} · xp</title></head>
<body><h1>{status}: {what}</h1><p>{fix}</p></body></html>
"""
log = logging.getLogger("xp.serve")


class Refusal(Exception):
    """A request that is not answered: the status, what is wrong with it, what to do, headers besides the usual ones."""

    def __init__(self, status: int, what: str, fix: str = "", headers: Mapping[str, str] | None = None) -> None:
        super().__init__(what)
        self.status, self.what, self.fix, self.headers = status, what, fix, dict(headers or {})


def answer_refusal(refused: Refusal, method: str, accepted: str) -> Response:
    """Return the answer in the form that was asked for: a page to look at, JSON, or a line for a script to show.

    The connection ends with it: what is left of the request's body is not read.
    """
    headers = {**refused.headers, "connection": "close"}
    if "application/json" in accepted:
        body, kind = json.dumps({"error": refused.what, "fix": refused.fix}), "application/json"
    elif method == "GET" and "text/html" in accepted:
        body, kind = PAGE.format(status=refused.status, what=escape(refused.what), fix=escape(refused.fix)), "text/html"
    else:
        body, kind = f"{refused.what}\n{refused.fix}".strip() + "\n", "text/plain"
    return Response("" if method == "HEAD" else body, refused.status, headers, kind)


def note_refusal(status: int, who: str, method: str, path: str, what: str, secret: str = "") -> None:
    """Log a refusal in one line that steers no terminal and holds no token."""
    text = f"refused {status} {shorten(method, 20)} {shorten(path, MOST_LOGGED)} from {who}: {what}"
    if secret:
        text = text.replace(secret, "<token>")
    log.warning("%s", show_text(" ".join(text.split())))
