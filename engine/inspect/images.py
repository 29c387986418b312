"""Images as a student will see them: takes a spec, gives a contact sheet of augmented views as a PNG."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL.Image import Image

from engine.core.data.pack import open_pack
from engine.core.data.preview import draw_sheet
from engine.errors import XpError
from engine.home.paths import Home
from engine.inputs.content import data_content
from engine.inputs.splits import split_pack
from engine.inspect.surveys import Watcher
from engine.plan import make_plan
from engine.plan.own_code import settle_spec
from engine.run.inputs import make_pack
from engine.spec import Spec
from engine.spec.cells import expand_cells
from engine.spec.job_settings import PackSettings

MOST_VIEWS = 6
SHEET_SIDE = 160  # pixels a picture


def write_preview(home: Home, spec: Spec, out: Path, progress: Watcher, rows: int = 8) -> Path:
    """Draw the augmented views of `rows` training images that a student of `spec` will see; pack them if need be.

    They are those of the first arm at the first point of the matrix, as many views as data.views has. Raises XpError
    when `out` is no .png that can be written.
    """
    if out.suffix.lower() != ".png":
        raise XpError("the sheet is a PNG", where=str(out), fix="give it a name that ends in .png: -o sheet.png")
    data = next(expand_cells(settle_spec(spec, home))).settings.data
    jobs = make_plan(spec, home).jobs
    job, settings = next((job, job.settings) for job in jobs if isinstance(job.settings, PackSettings))
    if job.job is None:
        data_content(data, home.digests)  # says what is missing
    make_pack(home, settings, job.key, job.details.root, lambda phase, done, count: progress(done, count))
    pack = open_pack(home.pack(job.key))
    split = split_pack(pack, data)
    chosen = split.train[np.linspace(0, len(split.train) - 1, rows).astype(np.int64)]
    views = min(MOST_VIEWS, data.views or MOST_VIEWS)
    sheet = draw_sheet(pack, chosen, data, SHEET_SIDE, views, seed=spec.seeds[0], mixed_from=split.train)
    _save_sheet(sheet, out)
    return out


def _save_sheet(sheet: Image, out: Path) -> None:
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        sheet.save(out, "PNG")
    except OSError as error:
        raise XpError(f"cannot write: {error.strerror}", where=str(out), fix="name another file with -o") from error
