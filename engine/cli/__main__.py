"""`python -P -m engine.cli`: the commands without an installed script.

Without -P, Python takes an engine.py in the folder we are in for ours; the script `xp` never does.
"""

from __future__ import annotations

from engine.cli import main

main()
