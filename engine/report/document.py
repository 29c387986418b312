"""What every form of a report is written from: takes pages with their pictures, gives one Document.

All forms read the same Document, so they carry the same numbers. One experiment is a document of one chapter. A page
about several, such as a paper's, gives the document a title, and tables that stand before the chapters (`front`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from engine.report.page import Page
from engine.report.paper.cover import Cover
from engine.report.pictures import Chart, MapImage, map_arms
from engine.report.tables import Table


@dataclass(frozen=True)
class Chapter:
    """The page of one experiment with its charts, and its maps by image.

    `place` is the folder of its files below the document's, empty where they lie beside it. Labels and ids begin with
    the experiment's name, which no two chapters share.
    """

    page: Page
    charts: Sequence[Chart] = ()
    maps: Mapping[str, Sequence[MapImage]] = field(default_factory=dict)
    place: str = ""

    @property
    def prefix(self) -> str:
        """What stands before the name of a file of this chapter."""
        return f"{self.place}/" if self.place else ""

    @property
    def arms(self) -> list[str]:
        """The arms that have a column of maps."""
        return map_arms(self.maps)


@dataclass(frozen=True)
class Document:
    """A whole report: `lead` are sentences under the title, `front` the tables before the chapters.

    A paper's page has a `cover` as well: what it says, answered, before the chapters.
    """

    title: str
    chapters: Sequence[Chapter]
    front: Sequence[Table] = ()
    lead: Sequence[str] = ()
    cover: Cover | None = None

    @property
    def is_single(self) -> bool:
        """Whether it is the page of one experiment and nothing else: then the chapter's title is the document's."""
        return len(self.chapters) == 1 and not self.front and not self.lead and not self.cover
