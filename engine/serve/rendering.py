"""Pages as HTML: takes a View and where it stands, gives the whole page, or the part of it that is to be renewed."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache, partial
from urllib.parse import quote, urlencode

from jinja2 import Environment
from markupsafe import Markup

from engine.report.forms.environment import make_environment
from engine.report.number_text import duration
from engine.serve.view import Asked, View

UNKNOWN = "\N{EN DASH}"
NAVIGATION = {
    "": "Experiments", "runs": "Runs", "compare": "Compare", "queue": "Queue", "teachers": "Teachers", "sql": "SQL",
    "reports": "Reports",
}  # fmt: skip


@cache
def environment() -> Environment:
    """Return where the templates of pages are filled in; what they say is escaped."""
    made = make_environment(is_html=True)
    made.filters |= {"when": show_time, "count": show_count, "span": show_span, "percent": show_percent, "part": quote}
    return made


def render(asked: Asked, view: View, address: str, part: str = "") -> str:
    """Return a page, or with `part` one block of its template. `address` is the path asked for, without a prefix.

    Raises KeyError for a part that the page does not have.
    """
    template = environment().get_template(f"serve/{view.template}.html.j2")
    root = "../" * (address.count("/") - 1) or "./"
    words = {name: values for name, values in asked.words.items() if name != "part"}
    here = root + quote(address.lstrip("/")) + "?" + urlencode(words, doseq=True)
    about = {"view": view.data, "title": view.title, "root": root, "here": here, "asked": asked,
             "navigation": NAVIGATION, "address": address, "live": partial(_live, here)}  # fmt: skip
    if not part:
        return template.render(about)
    return "".join(template.blocks[part](template.new_context(about)))


def _live(here: str, name: str, *events: str) -> Markup:
    """The attributes of a section that is asked for anew on events of the stream (streams.py)."""
    trigger = ", ".join(f"{event} from:body throttle:1s" for event in events)
    text = 'hx-get="{}" hx-trigger="{}" hx-swap="morph:outerHTML" hx-target="this"'
    return Markup(text).format(f"{here}&part={name}", trigger)


def show_time(seconds: float | datetime | None) -> Markup:
    """A moment (unix seconds), which the page's script writes as its reader does."""
    if seconds is None:
        return Markup(UNKNOWN)
    moment = seconds if isinstance(seconds, datetime) else datetime.fromtimestamp(seconds, UTC)
    text = moment.astimezone(UTC)
    return Markup('<time datetime="{}">{}</time>').format(text.isoformat(), text.strftime("%Y-%m-%d %H:%M UTC"))


def show_count(value: float | None, digits: int = 0) -> Markup:
    """A number, which the page's script writes as its reader does."""
    if value is None:
        return Markup(UNKNOWN)
    return Markup('<data value="{}">{:,.{digits}f}</data>').format(value, value, digits=digits)


def show_percent(value: float | None, digits: int = 1) -> str:
    """A share as per cent."""
    return UNKNOWN if value is None else f"{100 * value:.{digits}f} %"


def show_span(seconds: float | None) -> str:
    """A time that something takes."""
    return UNKNOWN if seconds is None else duration(seconds)
