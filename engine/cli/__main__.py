"""`python -m engine.cli`: the commands without an installed script."""

from __future__ import annotations

from engine.cli import main

main()
