"""The job that packs the images: takes a run's draft, adds it; all runs of the same images share it."""

from __future__ import annotations

from engine.errors import MissingData
from engine.inputs.content import resolve_root
from engine.plan.draft import Cost, RunDraft
from engine.spec import Data
from engine.spec.job_settings import JobDetails, PackedData, PackSettings

PIXEL_BYTES = {"raw": 3.0, "jpeg": 0.46}  # of a packed photograph: 29.8 KB at 256 x 256 in JPEG


def plan_pack(run: RunDraft) -> None:
    context, data = run.context, run.context.settings.data
    content = context.content
    told = PackSettings(data=PackedData.of(data), digest=content.digest if content else f"absent: {data.root}")
    if content is None:
        cost = Cost(reason="the images are not on this machine")
    else:
        details = JobDetails(root=images_root(data), resources=context.settings.resources)
        cost = Cost(details, content.count, int(content.count * data.short_side**2 * PIXEL_BYTES[data.format]))
    run.jobs["pack"] = context.draft.add(told, {}, cost)


def images_root(data: Data) -> str | None:
    """Return where the images lie, None where they are built in or not on this machine."""
    if not data.has_root:
        return None
    try:
        return str(resolve_root(data.root))
    except MissingData:
        return None
