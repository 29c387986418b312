"""Tables for who looks at an object: takes heads and rows, gives lines of text, or HTML for a notebook's page."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup, escape

from store.escape import show_text

BAR = "border-radius:3px"


def text_table(heads: Sequence[str], rows: Sequence[Sequence[str]], notes: Sequence[str] = ()) -> str:
    """Return columns side by side, the first to the left and all others to the right, and a line for each note."""
    lines = [tuple(heads), *map(tuple, rows)]
    widths = [max(len(line[at]) for line in lines) for at in range(len(heads))]
    shown = ["  ".join(_pad(cell, width, at) for at, (cell, width) in enumerate(zip(line, widths, strict=True)))
             for line in lines]  # fmt: skip
    return show_text("\n".join([*(line.rstrip() for line in shown), *notes]))


def _pad(cell: str, width: int, at: int) -> str:
    return cell.ljust(width) if at == 0 else cell.rjust(width)


def html_table(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]], notes: Sequence[str] = ()) -> str:
    """Return a table with a caption, escaped; `notes` are paragraphs below it."""
    head = Markup("").join(Markup("<th>{}</th>").format(one) for one in heads)
    body = Markup("").join(
        Markup("<tr>{}</tr>").format(Markup("").join(Markup("<td>{}</td>").format(show_text(one)) for one in row))
        for row in rows
    )
    below = Markup("").join(Markup("<p style='margin:.2em 0'>{}</p>").format(show_text(note)) for note in notes)
    caption = Markup("<caption style='text-align:left;font-weight:bold'>{}</caption>").format(show_text(title))
    return str(
        Markup("<div><table>{}<thead><tr>{}</tr></thead><tbody>{}</tbody></table>{}</div>").format(
            caption, head, body, below
        )
    )


def html_bar(share: float) -> str:
    """Return a bar that is full as far as `share` says, 0 to 1."""
    full = f"{100 * min(1.0, max(0.0, share)):.1f}%"
    inner = f"<div style='{BAR};background:#2a7;height:100%;width:{full}'></div>"
    return f"<div style='{BAR};background:#8884;height:.7em;width:18em;display:inline-block'>{inner}</div>"


def html_text(text: str) -> str:
    return str(escape(show_text(text)))
