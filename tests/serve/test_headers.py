"""Headers of every answer: an answer asks browsers for less than all do, never for more."""

from __future__ import annotations

import pytest

from engine.serve.headers import POLICY, Guarding, is_narrow

REPORT = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'sha256-AbC+/123='"
HELD = "private, max-age=31536000, immutable"


def guarded(path: str = "/", guarding: Guarding | None = None, **own: str) -> dict[str, str]:
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in own.items()]
    found = (guarding or Guarding()).guard(pairs, path)
    assert len({name for name, _ in found}) == len(found), "a header that stands there twice counts as the first"
    return {name.decode(): value.decode() for name, value in found}


@pytest.mark.parametrize(
    "policy",
    [
        REPORT,
        "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:",
        "default-src 'none'; style-src 'unsafe-inline'",
        "default-src 'none'",
    ],
)
def test_a_narrow_policy_stays(policy: str) -> None:
    told = guarded(content_security_policy=policy)["content-security-policy"]
    assert told == f"{policy}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


@pytest.mark.parametrize(
    "policy",
    [
        "", "default-src *", "default-src 'self'", "script-src 'none'", "default-src 'none'; script-src 'self'",
        "default-src 'none'; script-src 'unsafe-inline'", "default-src 'none'; script-src 'sha256-a' 'unsafe-eval'",
        "default-src 'none'; script-src data:", "default-src 'none'; img-src *", "default-src 'none'; connect-src *",
        "default-src 'none'; default-src *", "default-src 'none'; frame-ancestors *",
        "default-src 'none'; object-src *",
        "sandbox allow-scripts allow-same-origin; default-src 'none'", "default-src 'none';", "DEFAULT-SRC 'none'",
        "default-src 'none', script-src *", "default-src 'none'; style-src https://evil.example",
    ],
)  # fmt: skip
def test_a_wide_policy_is_replaced(policy: str) -> None:
    assert not is_narrow(policy)
    assert guarded(content_security_policy=policy)["content-security-policy"] == f"{POLICY}; frame-ancestors 'none'"


def test_drawings_are_kept_by_one_reader() -> None:
    assert guarded(cache_control=HELD)["cache-control"] == HELD
    assert guarded(cache_control="no-cache")["cache-control"] == "no-cache"
    assert guarded(cache_control="public, max-age=9")["cache-control"] == "no-store"
    assert guarded()["cache-control"] == "no-store"


def test_a_closed_server_leaves_nothing_behind() -> None:
    assert guarded(guarding=Guarding(is_closed=True), cache_control=HELD)["cache-control"] == "no-store"
    assert guarded("/static/serve.js", Guarding(is_closed=True))["cache-control"] == "no-cache"


def test_one_page_may_say_where_from() -> None:
    assert guarded()["referrer-policy"] == "no-referrer"
    assert guarded(referrer_policy="same-origin")["referrer-policy"] == "same-origin"
    assert guarded(referrer_policy="unsafe-url")["referrer-policy"] == "no-referrer"


def test_other_headers_stay() -> None:
    assert guarded(HX_Trigger="{}", x_content_type_options="sniff") == {**guarded(), "hx-trigger": "{}"}
