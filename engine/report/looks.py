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
from engine.report.charts.style import INK, STYLE, colour_of
from engine.report.sentences import say
from store.metrics import MAP_WORDS

MOST_ROWS, MOST_MAPS = 6, 4
CELL, GAP, CAPTION, HEAD = 0.82, 0.05, 0.27, 0.42  # inches: a picture's side, between two, below one, above all
LETTER = 0.056  # inches: as wide as a letter is on average
SMALL = 6.5  # points
DRAWN = 160  # pixels: a picture's side in the file
SHARE = 0.6  # of a map's colours; the rest is the image
FLATNESS = 1e-3  # of its highest value a colour scale spans at least: what rounding leaves of a flat map is no picture
SHORT = {"received": "received", "energy": "features", "gradcam": "Grad-CAM", "gradcam_true": "Grad-CAM\ntrue class",
         "rollout": "rollout"}  # fmt: skip

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

    def span(self, kind: str, keys: Sequence[str]) -> tuple[float, float]:
        """Return where the colours of a column begin and end: one scale for all of its images."""
        values = self.maps[kind][[self.places[key] for key in keys]]
        low, high = float(values.min()), float(values.max())
        return low, low + max(high - low, FLATNESS * abs(high), 1e-12)


@dataclass(frozen=True)
class LooksFigure:
    """A drawn figure with what is to be said below it."""

    name: str
    figure: Figure
    note: str


def draw_looks(home: Home, rows: Sequence[Row]) -> list[LooksFigure]:
    """Return the figures of the first point whose networks were asked for maps by kind."""
    point = next((row["cell"] for row in rows if row.get("looks")), None)
    found = [_read_looks(home, row) for row in rows if row.get("looks") and row["cell"] == point]
    networks = [one for one in found if one is not None and one.maps]
    return [_draw_group(group, number) for number, group in enumerate(_grouped(networks), 1)]


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


def _draw_group(networks: Sequence[NetworkLooks], number: int) -> LooksFigure:
    first = networks[0]
    keys = [key for key in first.places if all(key in one.places for one in networks)][:MOST_ROWS]
    columns = 1 + sum(len(one.maps) for one in networks)
    width, height = columns * (CELL + GAP) + GAP, HEAD + len(keys) * (CELL + CAPTION)
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(width, height))
        sheet = figure.add_axes((0, 0, 1, 1))
        sheet.set_axis_off()
        sheet.set_xlim(0, width)
        sheet.set_ylim(height, 0)
        _draw_input(sheet, first, keys)
        column = 1
        for place, one in enumerate(networks):
            _draw_network(sheet, one, keys, column, place)
            column += len(one.maps)
    note = say("looks_figure", columns=" ".join(_column_texts(networks)))
    return LooksFigure(f"attention_maps_{number}", figure, note)


def _left(column: int) -> float:
    return GAP + column * (CELL + GAP)


def _top(row: int) -> float:
    return HEAD + row * (CELL + CAPTION)


def _draw_input(sheet: Axes, network: NetworkLooks, keys: Sequence[str]) -> None:
    _write(sheet, "image", _left(0), HEAD - 0.04, CELL, lines=1, at="bottom")
    for row, key in enumerate(keys):
        place = network.places[key]
        _put(sheet, _enlarged(network.pictures[place]), row, 0)
        _write(sheet, network.title(int(network.labels[place])), _left(0), _top(row) + CELL, CELL)


def _draw_network(sheet: Axes, network: NetworkLooks, keys: Sequence[str], column: int, number: int) -> None:
    wide = len(network.maps) * (CELL + GAP) - GAP
    _write(sheet, network.arm, _left(column), 0.02, wide, lines=1, weight="bold")
    sheet.plot([_left(column), _left(column) + wide], [0.165, 0.165], color=colour_of(number), linewidth=1.5)
    for at, kind in enumerate(network.maps):
        _write(sheet, SHORT[kind], _left(column + at), HEAD - 0.04, CELL, at="bottom")
        low, high = network.span(kind, keys)
        for row, key in enumerate(keys):
            place = network.places[key]
            level = (network.maps[kind][place] - low) / (high - low)
            _put(sheet, _overlaid(network.pictures[place], level.astype(np.float32)), row, column + at)
    for row, key in enumerate(keys):
        place = network.places[key]
        is_right = network.predicted[place] == network.labels[place]
        said = f"{network.title(int(network.predicted[place]))}: {'right' if is_right else 'wrong'}"
        _write(sheet, said, _left(column), _top(row) + CELL, wide, weight="normal" if is_right else "bold")


def _put(sheet: Axes, picture: Bytes, row: int, column: int) -> None:
    left, top = _left(column), _top(row)
    sheet.imshow(picture, extent=(left, left + CELL, top + CELL, top), interpolation="none", aspect="auto", zorder=1)


def _write(
    sheet: Axes, text: str, left: float, y: float, wide: float, lines: int = 2, at: str = "top", weight: str = "normal"
) -> None:
    """Write in the middle of a column, in so many lines at most: what is longer ends in dots."""
    room = max(4, int(wide / LETTER / (1.08 if weight == "bold" else 1.0)))
    cut = text.split("\n") if "\n" in text else textwrap.wrap(text, room, max_lines=lines, placeholder="…")
    kept = [one if len(one) <= room else one[: room - 1] + "…" for one in cut[:lines]]
    below = 0.03 if at == "top" else 0.0
    sheet.text(
        left + wide / 2, y + below, "\n".join(kept), ha="center", va=at, fontsize=SMALL, weight=weight, linespacing=1.0
    )  # fmt: skip


def _enlarged(picture: Bytes) -> Bytes:
    return np.asarray(Image.fromarray(picture).resize((DRAWN, DRAWN), Image.Resampling.BILINEAR))


def _overlaid(picture: Bytes, level: Floats) -> Bytes:
    """Lay a map (values 0..1) in viridis over the picture in grey, so that a colour is the map's alone."""
    grey = np.asarray(Image.fromarray(_enlarged(picture)).convert("L"), dtype=np.float64)[..., None]
    wide = np.asarray(Image.fromarray(level).resize((DRAWN, DRAWN), Image.Resampling.BILINEAR))
    colours = matplotlib.colormaps["viridis"](np.clip(wide, 0, 1), bytes=True)[..., :3].astype(np.float64)
    return ((1 - SHARE) * grey + SHARE * colours).round().astype(np.uint8)


def _column_texts(networks: Sequence[NetworkLooks]) -> list[str]:
    """Say of each kind what it is and of which layer; of several where the networks differ in it."""
    texts: dict[str, list[str]] = {}
    for one in networks:
        for kind, layer in one.layers.items():
            texts.setdefault(say(f"looks_{kind}", layer=layer), []).append(one.arm)
    return [
        f"{told}." if len(arms) == len(networks) else f"{told} ({', '.join(arms)})." for told, arms in texts.items()
    ]


def draw_deletion(rows: Sequence[Row]) -> Figure | None:
    """Return the mean deletion curves of each network's maps beside chance, at the first point that has any."""
    point = next((row["cell"] for row in rows if row.get("deletion")), None)
    told = {row["arm"]: json.loads(row["deletion"]) for row in rows if row.get("deletion") and row["cell"] == point}
    if not told:
        return None
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(min(11.0, 2.7 * len(told) + 0.6), 3.1), layout="constrained")
        panels = figure.subplots(1, len(told), sharey=True, squeeze=False)[0]
        for axes, (arm, one) in zip(panels, told.items(), strict=True):
            _draw_curves(axes, arm, one)
        panels[0].set_ylabel("probability of the class")
        found = [pair for axes in panels for pair in zip(*axes.get_legend_handles_labels(), strict=True)]
        handles = {label: handle for handle, label in found}
        figure.legend(handles.values(), handles, loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    return figure


def _draw_curves(axes: Axes, arm: str, found: Mapping[str, Any]) -> None:
    gone = np.linspace(0, 100, found["steps"] + 1)
    axes.plot(gone, found["chance"]["deletion"]["curve"], color=INK, linestyle="--", linewidth=1.4, label="chance")
    for kind, one in found["kinds"].items():
        at = list(MAP_WORDS).index(kind)
        axes.plot(
            gone, one["deletion"]["curve"], color=colour_of(at), linewidth=1.6, label=MAP_WORDS[kind],
            marker="os^Dv"[at], markersize=3.5, markevery=2,
        )  # fmt: skip
    axes.set_title(arm if len(arm) <= 30 else arm[:29] + "…", loc="left", fontsize=10)
    axes.set_xlabel("cells taken away [%]", fontsize=9)
    axes.set_ylim(0, 1)
    axes.grid(alpha=0.25, linewidth=0.6, color=INK)
