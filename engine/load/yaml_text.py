"""A plain tree as YAML: takes what a spec says, gives a text that reads back as the same tree."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML

WIDTH = 110  # characters of a line


def write_yaml(tree: Mapping[str, Any]) -> str:
    """Return the tree as YAML 1.2, its keys in the order they have."""
    writer = YAML(typ="safe", pure=True)
    writer.width, writer.allow_unicode = WIDTH, True
    # Its own annotations know None alone.
    writer.default_flow_style = False
    writer.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    out = io.StringIO()
    writer.dump(dict(tree), out)
    return out.getvalue()
