"""The page that asks for the token, where reading needs it too: takes what was typed, gives a cookie and the way back.

The cookie only reads: orders need the token itself, which the page's script keeps for its tab. It has no path of its
own, so that behind a proxy it is sent to this server alone and not to its neighbours below the same name.
"""

from __future__ import annotations

from urllib.parse import parse_qs, quote

from starlette.responses import HTMLResponse, RedirectResponse, Response

from engine.serve.access import Access
from engine.serve.refusals import Refusal
from engine.serve.rendering import environment
from engine.serve.shapes import Request

LOGIN = "/login"
FIELDS = 20
QUERY_SIGNS = "=&+%/:,;@!$'()*?~"  # what stays itself in a query that is there again


def show_login(path: str, query: str) -> Response:
    """Return the page that asks for the token and leads back to what was asked for."""
    back = "" if path == LOGIN else quote(path.lstrip("/")) + (f"?{quote(query, safe=QUERY_SIGNS)}" if query else "")
    return _show_form("../" * (path.count("/") - 1) or "./", back)


def _show_form(root: str, back: str, said: str = "") -> Response:
    text = environment().get_template("serve/login.html.j2").render(root=root, back=back, said=said)
    # With the policy of all other pages, browsers would say that the form comes from nowhere.
    return HTMLResponse(text, 401, {"referrer-policy": "same-origin"})


async def answer_login(access: Access, request: Request, body: bytes) -> Response:
    """Return the way back with a cookie for who knows the token, else the page again. Raises Refusal when hurried."""
    words = _read_form(body)
    back = words.get("back", [""])[-1]
    try:
        await access.lock.must_fit(words.get("token", [""])[-1].strip())
    except Refusal as refused:
        if refused.status != 401:
            raise
        return _show_form("./", back, refused.what)
    # Whatever stands behind ./ is below this server.
    path, _, query = back.partition("?")
    place = f"./{quote(path.lstrip('/'), safe='/%')}" + (f"?{quote(query, safe=QUERY_SIGNS)}" if query else "")
    made = RedirectResponse(place, 303)
    is_secure = request.header("origin").startswith("https://")
    made.headers["set-cookie"] = _cookie(access, is_secure)
    return made


def _read_form(body: bytes) -> dict[str, list[str]]:
    try:
        return parse_qs(body.decode("utf-8", "replace"), max_num_fields=FIELDS)
    except ValueError as error:
        raise Refusal(400, f"the form has more than {FIELDS} words") from error


def _cookie(access: Access, is_secure: bool) -> str:
    text = f"{access.lock.cookie_name}={access.lock.cookie}; HttpOnly; SameSite=Strict"
    return text + "; Secure" if is_secure else text
