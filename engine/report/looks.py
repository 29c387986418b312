"""The paper's pictures of attention: takes a home and a page's maps, gives figures of networks on the same images.

Rows are test images, columns the image and each kind of map of each network, laid over it in grey. A figure holds two
networks or more, as many as leave it readable in one column of print; further networks make further figures.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from engine.analysis.snapshot import Row
from engine.core.data.wordnet import class_name
from engine.home.commits import artifact_problem, sound_winner
from engine.home.paths import Home
from engine.report.charts.style import INK, SCREEN, Paper, colour_of, draw_legend, mark_of, tidy
from engine.report.sentences import say
from store.metrics import MAP_WORDS

MOST_ROWS, MOST_MAPS = 6, 4
CELL, GAP = 0.82, 0.05  # inches: a picture's side on a screen, and between two
CAPTION, HEAD, LETTER = 3.0, 4.7, 0.62  # times the letters' size: below a picture, above all, a letter's mean width
SMALL = 6.5  # points, on a screen, where figures are enlarged
NARROW = 5  # columns fit into one of print; more take two
MOST_ACROSS = 2  # panels of deletion curves
BETWEEN = 8 / 25.4  # inches: between two columns of print
DRAWN = 128  # pixels: a picture's side in the file
SHARE = 0.6  # of a map's colours; the rest is the image
FLATNESS = 1e-3  # of its highest value a colour scale spans at least: what rounding leaves of a flat map is no picture
SHORT = {"received": "received", "energy": "features", "gradcam": "Grad-CAM", "gradcam_true": "Grad-CAM\ntrue class",
         "rollout": "rollout", "attention_gradient": "attention\nx gradient"}  # fmt: skip

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class NetworkLooks:
    """What one network looks at: by key of an image its picture (S, S, 3), class, answer, and maps (h, w) by kind."""

    arm: str
    layers: Mapping[str, str]
    classes: Sequence[str]
    places: Mapping[str, int]
    pictures: Bytes
    labels: NDArray[np.int64]
    predicted: NDArray[np.int64]
    maps: Mapping[str, Floats]

    def title(self, label: int) -> str:
        """Return the name of a class; a WordNet id's meaning."""
        return class_name(str(self.classes[label])) if label < len(self.classes) else f"class {label}"

    def answer(self, key: str) -> tuple[str, bool]:
        """Return what the network says of an image, and whether it is right."""
        place = self.places[key]
        is_right = bool(self.predicted[place] == self.labels[place])
        return f"{self.title(int(self.predicted[place]))}: {'right' if is_right else 'wrong'}", is_right

    def span(self, kind: str, keys: Sequence[str]) -> tuple[float, float]:
        """Return where the colours of a column begin and end: one scale for all of its images."""
        values = self.maps[kind][[self.places[key] for key in keys]]
        low, high = float(values.min()), float(values.max())
        return low, low + max(high - low, FLATNESS * abs(high), 1e-12)


@dataclass(frozen=True)
class LooksFigure:
    """Networks that stand beside each other in one figure, under the name that its files get."""

    name: str
    networks: Sequence[NetworkLooks]

    @property
    def width(self) -> float:
        """Inches on a screen."""
        return LooksSheet.on(SCREEN, self._columns, 1).width

    @property
    def _columns(self) -> int:
        return 1 + sum(len(one.maps) for one in self.networks)

    @property
    def note(self) -> str:
        return say("looks_figure", columns=" ".join(_column_texts(self.networks)))

    def draw(self, paper: Paper) -> Figure:
        """Return the figure: letters and pictures of a size for the paper."""
        networks = self.networks
        keys = [key for key in networks[0].places if all(key in one.places for one in networks)][:MOST_ROWS]
        sheet = LooksSheet.on(paper, self._columns, len(keys))
        with paper.style():
            figure = Figure(figsize=(sheet.width, sheet.height))
            axes = figure.add_axes((0, 0, 1, 1))
            axes.set_axis_off()
            axes.set_xlim(0, sheet.width)
            axes.set_ylim(sheet.height, 0)
            sheet.draw(axes, networks, keys)
        return figure


def find_looks(home: Home, rows: Sequence[Row]) -> list[LooksFigure]:
    """Return the figures of the first point whose networks were asked for maps by kind."""
    point = next((row["cell"] for row in rows if row.get("looks")), None)
    found = [_read_looks(home, row) for row in rows if row.get("looks") and row["cell"] == point]
    networks = [one for one in found if one is not None and one.maps]
    return [LooksFigure(f"attention_maps_{number}", group) for number, group in enumerate(_grouped(networks), 1)]


def _read_looks(home: Home, row: Row) -> NetworkLooks | None:
    """Return what a job left, None where its file is gone or damaged, which the page tells."""
    job = home.job(row["job"])
    winner = sound_winner(job)
    path = winner.artifacts / "looks.npz" if winner else None
    if path is None or not path.exists() or artifact_problem(job, path):
        return None
    told = json.loads(row["looks"])
    with np.load(path) as held:
        kept: dict[str, Any] = {name: held[name] for name in held.files}
    return NetworkLooks(
        arm=row["arm"], layers=told["layers"], classes=json.loads(row["classes"] or "[]"),
        places={key: at for at, key in enumerate(kept["keys"].tolist())}, pictures=kept["pictures"],
        labels=kept["labels"], predicted=kept["predicted"],
        maps={kind: kept[f"map_{kind}"] for kind in told["layers"]},
    )  # fmt: skip


def _grouped(networks: Sequence[NetworkLooks]) -> list[list[NetworkLooks]]:
    """Put as many networks beside each other as leave MOST_MAPS columns, but two at least, on the same images."""
    groups: list[list[NetworkLooks]] = []
    for one in networks:
        last = groups[-1] if groups else []
        columns = sum(len(each.maps) for each in last) + len(one.maps)
        alike = bool(last) and bool(last[0].places.keys() & one.places.keys())
        if last and alike and (columns <= MOST_MAPS or len(last) < 2):
            last.append(one)
        else:
            groups.append([one])
    return groups


@dataclass(frozen=True)
class LooksSheet:
    """Where things lie on a figure of so many columns and rows, in inches; `small` are its letters in points."""

    columns: int
    rows: int
    cell: float
    small: float

    @classmethod
    def on(cls, paper: Paper, columns: int, rows: int) -> LooksSheet:
        """Return the layout for a paper: on a screen pictures have one size, in print they fill one column or two."""
        if paper == SCREEN:
            return cls(columns, rows, CELL, SMALL)
        wide = paper.width if columns <= NARROW else 2 * paper.width + BETWEEN
        return cls(columns, rows, (wide - GAP) / columns - GAP, paper.small)

    @property
    def width(self) -> float:
        return self.left(self.columns)

    @property
    def height(self) -> float:
        return self.top(self.rows)

    @property
    def em(self) -> float:
        return self.small / 72

    def left(self, column: int) -> float:
        return GAP + column * (self.cell + GAP)

    def top(self, row: int) -> float:
        return HEAD * self.em + row * (self.cell + CAPTION * self.em)

    def draw(self, axes: Axes, networks: Sequence[NetworkLooks], keys: Sequence[str]) -> None:
        """Draw the images and then each network's columns."""
        self._draw_input(axes, networks[0], keys)
        column = 1
        for place, one in enumerate(networks):
            self._draw_network(axes, one, keys, column, place)
            column += len(one.maps)

    def _draw_input(self, axes: Axes, network: NetworkLooks, keys: Sequence[str]) -> None:
        self._write(axes, "image", self.left(0), self.top(0) - 0.04, self.cell, lines=1, at="bottom")
        for row, key in enumerate(keys):
            place = network.places[key]
            self._put(axes, _enlarged(network.pictures[place]), row, 0)
            self._write(axes, network.title(int(network.labels[place])), self.left(0), self._below(row), self.cell)

    def _draw_network(self, axes: Axes, network: NetworkLooks, keys: Sequence[str], column: int, number: int) -> None:
        left, wide, rule = self.left(column), len(network.maps) * (self.cell + GAP) - GAP, 1.8 * self.em
        self._write(axes, network.arm, left, 0.0, wide, lines=1, weight="bold")
        axes.plot([left, left + wide], [rule, rule], color=colour_of(number), linewidth=1.5)
        for at, kind in enumerate(network.maps):
            self._write(axes, SHORT[kind], self.left(column + at), self.top(0) - 0.04, self.cell, at="bottom")
            low, high = network.span(kind, keys)
            for row, key in enumerate(keys):
                place = network.places[key]
                level = (network.maps[kind][place] - low) / (high - low)
                self._put(axes, _overlaid(network.pictures[place], level.astype(np.float32)), row, column + at)
        for row, key in enumerate(keys):
            said, is_right = network.answer(key)
            self._write(axes, said, left, self._below(row), wide, weight="normal" if is_right else "bold")

    def _below(self, row: int) -> float:
        return self.top(row) + self.cell

    def _put(self, axes: Axes, picture: Bytes, row: int, column: int) -> None:
        left, top = self.left(column), self.top(row)
        extent = (left, left + self.cell, top + self.cell, top)
        axes.imshow(picture, extent=extent, interpolation="none", aspect="auto", zorder=1)

    def _write(
        self, axes: Axes, text: str, left: float, y: float, wide: float, lines: int = 2, at: str = "top",
        weight: str = "normal",
    ) -> None:  # fmt: skip
        """Write in the middle of a column, in so many lines at most: what is longer ends in dots."""
        room = max(4, int(wide / (LETTER * self.em) / (1.1 if weight == "bold" else 1.0)))
        cut = text.split("\n") if "\n" in text else textwrap.wrap(text, room, max_lines=lines, placeholder="…")
        kept = [one if len(one) <= room else one[: room - 1] + "…" for one in cut[:lines]]
        below = 0.03 if at == "top" else 0.0
        axes.text(
            left + wide / 2, y + below, "\n".join(kept), ha="center", va=at, fontsize=self.small, weight=weight,
            linespacing=1.0,
        )  # fmt: skip


def _enlarged(picture: Bytes) -> Bytes:
    return np.asarray(Image.fromarray(picture).resize((DRAWN, DRAWN), Image.Resampling.BILINEAR))


def _overlaid(picture: Bytes, level: Floats) -> Bytes:
    """Lay a map (values 0..1) in viridis over the picture in grey, so that a colour is the map's alone."""
    grey = np.asarray(Image.fromarray(_enlarged(picture)).convert("L"), dtype=np.float64)[..., None]
    wide = np.asarray(Image.fromarray(level).resize((DRAWN, DRAWN), Image.Resampling.BILINEAR))
    colours = matplotlib.colormaps["viridis"](np.clip(wide, 0, 1), bytes=True)[..., :3].astype(np.float64)
    mixed: Bytes = ((1 - SHARE) * grey + SHARE * colours).round().astype(np.uint8)
    return mixed


def _column_texts(networks: Sequence[NetworkLooks]) -> list[str]:
    """Say of each kind what it is and of which layer; of several where the networks differ in it."""
    texts: dict[str, list[str]] = {}
    for one in networks:
        for kind, layer in one.layers.items():
            texts.setdefault(say(f"looks_{kind}", layer=layer), []).append(one.arm)
    return [
        f"{told}." if len(arms) == len(networks) else f"{told} ({', '.join(arms)})." for told, arms in texts.items()
    ]


def draw_deletion(rows: Sequence[Row], paper: Paper) -> Figure:
    """Return the mean deletion curves of each network's maps beside chance, at the first point that has any."""
    point = next(row["cell"] for row in rows if row.get("deletion"))
    told = {row["arm"]: json.loads(row["deletion"]) for row in rows if row.get("deletion") and row["cell"] == point}
    across = min(len(told), MOST_ACROSS)
    down = -(-len(told) // across)
    with paper.style():
        figure = paper.figure(2.0 * paper.width / SCREEN.width * down + 0.9)
        panels = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False).flatten()
        for axes, (arm, one) in zip(panels, told.items(), strict=False):
            _draw_curves(axes, arm, one, paper)
        for axes in panels[len(told) :]:
            axes.set_axis_off()
        figure.supylabel("probability of the class", fontsize=paper.small)
        for axes in panels[max(0, len(told) - across) : len(told)]:
            axes.set_xlabel("cells taken away [%]", fontsize=paper.small)
            axes.tick_params(labelbottom=True)
        found = [pair for axes in panels for pair in zip(*axes.get_legend_handles_labels(), strict=True)]
        handles = {label: handle for handle, label in found}
        draw_legend(figure, list(handles), paper, list(handles.values()))
    return figure


def _draw_curves(axes: Axes, arm: str, found: Mapping[str, Any], paper: Paper) -> None:
    gone = np.linspace(0, 100, found["steps"] + 1)
    line = 1.6 * paper.scale
    axes.plot(gone, found["chance"]["deletion"]["curve"], color=INK, linestyle="--", linewidth=line, label="chance")
    for kind, one in found["kinds"].items():
        at = list(MAP_WORDS).index(kind)
        axes.plot(
            gone, one["deletion"]["curve"], color=colour_of(at), linewidth=line, label=MAP_WORDS[kind],
            marker=mark_of(at), markersize=3.5 * paper.scale, markevery=2,
        )  # fmt: skip
    tidy(axes, arm if len(arm) <= 24 else arm[:23] + "…", paper)
    axes.set_ylim(0, 1)
