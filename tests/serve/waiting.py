"""Parts that are made in a thread, as a page's script asks for them: again until they are there."""

from __future__ import annotations

import time

from starlette.testclient import TestClient

LONGEST = 60.0  # seconds


def await_part(client: TestClient, address: str, sign: str) -> str:
    """Return the text of an address once `sign` stands in it. Raises AssertionError where it never does."""
    end = time.monotonic() + LONGEST
    while sign not in (text := client.get(address).text):
        assert time.monotonic() < end, f"{address} never says {sign!r}: {text[:500]}"
        time.sleep(0.05)
    return text
