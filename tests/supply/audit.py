"""`make audit`: asks a database of known vulnerabilities about every pin of constraints.txt, by pip-audit.

pip-audit prints 'no known vulnerabilities' also where it could look nothing up; here that is told apart. The exit code
is 0 when every pin was looked up and none is known to be vulnerable, 1 when one is, 3 when some could not be looked up.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from tests.supply.pins import CONSTRAINTS, read_pins

CLEAN, VULNERABLE, UNKNOWN = 0, 1, 3


@dataclass(frozen=True)
class Audit:
    """What became of it: vulnerabilities by package, the packages that were looked up, and all that were asked."""

    found: dict[str, tuple[str, ...]]
    looked_up: frozenset[str]
    asked: frozenset[str]

    @property
    def exit_code(self) -> int:
        if self.found:
            return VULNERABLE
        return CLEAN if self.looked_up >= self.asked else UNKNOWN

    def __str__(self) -> str:
        lines = [f"{name}: {', '.join(ids)}" for name, ids in sorted(self.found.items())]
        lines.append(f"{len(self.looked_up)} of {len(self.asked)} pinned packages were looked up")
        if missing := sorted(self.asked - self.looked_up):
            lines.append(f"NOT audited, the database could not be reached or does not know them: {', '.join(missing)}")
        elif not self.found:
            lines.append("no known vulnerability")
        return "\n".join(lines)


def read_answer(text: str, asked: Sequence[str]) -> Audit:
    """Return what pip-audit's JSON says; text that is none (it died on the way) has looked nothing up."""
    try:
        packages = json.loads(text)["dependencies"]
    except (ValueError, KeyError, TypeError):
        packages = []
    answered = [package for package in packages if "skip_reason" not in package]
    found = {
        package["name"]: tuple(sorted({known["id"] for known in package["vulns"]}))
        for package in answered
        if package["vulns"]
    }
    return Audit(found, frozenset(package["name"] for package in answered), frozenset(asked))


def main() -> int:
    """Run the pip-audit of this environment and print what it could tell."""
    command = [sys.executable, "-m", "pip_audit", "-r", str(CONSTRAINTS), "--no-deps", "--disable-pip", "-f", "json"]
    answer = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    audit = read_answer(answer.stdout, sorted(read_pins(CONSTRAINTS)))
    print(audit)
    return audit.exit_code


if __name__ == "__main__":
    sys.exit(main())
