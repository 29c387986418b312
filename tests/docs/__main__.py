"""`python -m tests.docs commands | outputs [FOLDER [PAGE...]] | picture FOLDER`: makes anew what the manual shows.

`outputs` goes through all pages, or those named, in FOLDER (else a new one) and writes what their commands print into
them: many minutes, as it trains. `picture` takes the figure of the start page from the report that the walk in FOLDER
left.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.docs.blocks import ROOT, pages
from tests.docs.commands import commands_page
from tests.docs.picture import take_picture
from tests.docs.walk import Walk, written_anew


def write_outputs(folder: Path, only: tuple[Path, ...]) -> None:
    """Go through the pages one by one, and write each as soon as it has been gone through."""
    for page in only or pages():
        answers = []
        for answer in Walk(folder, (page,)).answers():
            print(f"{answer.block.place}: {answer.command.splitlines()[0][:90]} -> {answer.code}", flush=True)
            answers.append(answer)
        page.write_text(written_anew(page, answers))


def main(words: list[str]) -> None:
    what, *rest = words or ["commands"]
    if what == "commands":
        (ROOT / "docs" / "commands.md").write_text(commands_page())
    elif what == "outputs":
        folder = Path(rest[0]) if rest else Path(tempfile.mkdtemp(prefix="xp-docs-"))
        write_outputs(folder, tuple(Path(name).resolve() for name in rest[1:]))
    elif what == "picture" and rest:
        take_picture(Path(rest[0]), ROOT / "docs" / "pictures")
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
