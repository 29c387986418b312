"""The jobs that do not train: takes an attempt, gives packed images or attention maps."""

from __future__ import annotations

import numpy as np
import torch

from engine.core.curves import STEPS as CURVE_STEPS
from engine.core.curves import CurveFigures, follow_curves
from engine.core.data.loader import EvalLoader
from engine.core.data.pack import Pack, count_duplicates, open_pack
from engine.core.explain import AttentionMaps, Colours, MapUndefined, attention_maps, save_maps
from engine.run.attempt import Attempt
from engine.run.device import prepare_device
from engine.run.inputs import (
    JOB_THREADS,
    Rows,
    check_digest,
    load_trained,
    make_forward,
    make_pack,
    open_images,
)
from engine.run.looks import Looker, even_rows, log_attention, log_deletion, look_at, save_looks
from engine.run.map_log import log_figure
from engine.run.objects import Pointing, find_objects, judge_maps
from engine.run.provenance import write_origin
from engine.spec.job_settings import ExplainSettings, PackSettings

# A line of 0.7 MB: a journal is read line by line.
SAMPLES_IN_A_LINE = 10_000


def run_pack(attempt: Attempt) -> None:
    """Pack the images into the cache unless a valid pack is there."""
    device = prepare_device("cpu:0", JOB_THREADS, True)
    order, settings, root = attempt.order, attempt.settings(PackSettings), attempt.details.root
    found = make_pack(attempt.home, settings, order.job, root, attempt.watch)
    pack = open_pack(attempt.home.pack(order.job))
    if found is not None:
        print(f"packed {len(pack) + len(pack.skipped)} images, {found} of them by an earlier attempt", flush=True)
    check_digest(settings, root, pack.digest)
    write_origin(attempt, device, JOB_THREADS, pack.digest)
    doubles = count_duplicates(pack.labels.tolist(), pack.groups)
    counts = {"images": len(pack.labels), "classes": len(pack.class_names), "skipped": len(pack.skipped)}
    about = {"digest": pack.digest, "made": found is not None, "left_out": list(pack.skipped), "duplicates": doubles}
    attempt.journal.fact("pack", {**counts, **about})
    attempt.journal.fact("classes", list(pack.class_names))
    _log_samples(attempt, pack)
    attempt.write_result(0, counts)


def _log_samples(attempt: Attempt, pack: Pack) -> None:
    """Log the key of every row, some at a time: with the letters of a split they say which image lies in which part."""
    for first in range(0, len(pack), SAMPLES_IN_A_LINE):
        attempt.journal.fact(f"samples {first}", pack.keys[first : first + SAMPLES_IN_A_LINE])


def run_explain(attempt: Attempt) -> None:
    """Save where a trained network looks in test images, which are taken evenly over the test part."""
    settings = attempt.settings(ExplainSettings)
    device = prepare_device(attempt.order.slot, JOB_THREADS, True)
    images = open_images(attempt, settings.data)
    write_origin(attempt, device, JOB_THREADS, images.pack.digest)
    network = load_trained(attempt.home, attempt.need("parent")).to(device)
    forward = make_forward(network, device, "fp32")
    rows = even_rows(images.split.test, settings.explain.images)
    count = len(rows)
    batch = next(iter(EvalLoader(images.pack, rows, images.data, images.data.image_size, count)))
    looker = Looker(attempt, network, forward, images)
    try:
        maps = _draw_named(looker, rows) or attention_maps(network, forward.prepare(batch.images))
    except MapUndefined as error:  # of a network of somebody's own: all others have some map
        print(f"no maps: {error.what}", flush=True)
        attempt.journal.fact("maps", {"omitted": error.what})
        attempt.write_result(0, {"images": 0})
        return
    predicted = forward(network, batch.images).argmax(1).tolist()
    keys = [images.pack.keys[row] for row in rows]
    objects = find_objects(attempt, images, rows)
    outlined = None if objects is None else objects.masks
    paths = save_maps(maps, batch.images, attempt.folder.artifacts, keys, map_colours(), outlined)
    shown = [
        {"file": path.name, "sample": key, "label": label, "predicted": answer}
        for path, key, label, answer in zip(paths, keys, batch.labels.tolist(), predicted, strict=True)
    ]
    attempt.journal.fact("maps", {"method": maps.method, "layer": maps.layer, "images": shown})
    if objects is not None:
        _log_pointing(attempt, device, judge_maps(objects, maps.values))
    attempt.watch("curves", 0, 0)
    curves = follow_curves(lambda some: forward(network, some), batch.images, maps.values)
    _log_curves(attempt, device, curves)
    attempt.write_result(0, {"images": count})


def _draw_named(looker: Looker, rows: Rows) -> AttentionMaps | None:
    """Save the kinds of maps that the spec names with what they are worth; return the first that the network has."""
    explain = looker.attempt.settings(ExplainSettings).explain
    if explain.maps is None:
        return None
    looks = look_at(looker, rows, "maps")
    save_looks(looker, looks)
    log_attention(looker, looks)
    if explain.deletion:
        log_deletion(looker, look_at(looker, even_rows(looker.images.split.test, explain.deletion), "maps"))
    return next(iter(looks.drawn.maps.values()), None)


def _log_curves(attempt: Attempt, device: torch.device, curves: CurveFigures) -> None:
    """Log the mean of each figure over the images, with the percentiles of single ones."""
    figures = {
        "deletion_auc": curves.deletion_auc,
        "insertion_auc": curves.insertion_auc,
        "deletion_gain": curves.deletion_gain,
        "insertion_gain": curves.insertion_gain,
    }
    for name, values in figures.items():
        log_figure(attempt, device, name, values.numpy(), "probability", CURVE_STEPS + 1)


def _log_pointing(attempt: Attempt, device: torch.device, pointing: Pointing) -> None:
    """Log how many images count and, where any does, how their maps point, beside what chance would do."""
    attempt.journal.fact("boxes", pointing.as_fact())
    found = pointing.figures
    if found is None:
        return
    figures = {
        "pointing_game": found.hits,
        "pointing_chance": found.chance,
        "box_energy": found.energy,
        "box_area": found.area,
    }
    if len(found.hits) > 1:
        figures["pointing_others"] = found.others
    for name, values in figures.items():
        log_figure(attempt, device, name, values, "fraction", len(found.hits))


def map_colours() -> Colours:
    """Return matplotlib's viridis: even in lightness, so that a map reads in grey and for colour-blind eyes."""
    import matplotlib  # here: only this job pays for it

    colours: Colours = matplotlib.colormaps["viridis"](np.arange(256), bytes=True)[:, :3]
    return colours
