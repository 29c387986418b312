"""Charts as files: takes a figure, gives SVG or PDF that is the same byte for byte for the same numbers.

LaTeX takes the PDF, with its letters embedded. PGF would set them in the document's font, but matplotlib has a TeX
measure each text for it: a chart would need one to be drawn, and its bytes would depend on which.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

import matplotlib
from matplotlib.figure import Figure

from engine.report.charts.style import STYLE


@lru_cache(maxsize=32)
def to_svg(figure: Figure, salt: str) -> str:
    """Return the SVG element alone, without a date; `salt` keeps its ids apart from another chart's on one page.

    Drawn once for all formats of a report.
    """
    out = io.StringIO()
    with matplotlib.rc_context({**STYLE, "svg.hashsalt": f"xp {salt}"}), _boxes_for_glyphs():
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    text = out.getvalue()
    return text[text.index("<svg") :]


def to_pdf(figure: Figure) -> bytes:
    out = io.BytesIO()
    with matplotlib.rc_context(STYLE), _boxes_for_glyphs():
        figure.savefig(out, format="pdf", metadata={"CreationDate": None, "Creator": None, "Producer": None})
    return out.getvalue()


@contextmanager
def _boxes_for_glyphs() -> Iterator[None]:
    """A name in letters that the font lacks is drawn in boxes; matplotlib would warn of each."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        yield
