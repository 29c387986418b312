"""A value as a person writes it in a spec: takes what was read, gives YAML on one line."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

PLAIN = re.compile(r"[A-Za-z_][\w./-]*")
RESERVED = ("null", "true", "false", "yes", "no", "on", "off", "y", "n")


def write_value(value: Any) -> str:
    """Return a value as YAML on one line."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(write_value, value))}]"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key}: {write_value(inner)}' for key, inner in value.items())}}}"
    if isinstance(value, str):
        return value if PLAIN.fullmatch(value) and value.lower() not in RESERVED else json.dumps(value)
    if isinstance(value, float):
        return f"{value:.15g}" if value % 1 else f"{value:g}"
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
