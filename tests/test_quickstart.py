"""What the quickstart promises: it shows every part of the flow, and its sparse arm is really sparse."""

from __future__ import annotations

from pathlib import Path

from engine.load import load_spec
from engine.spec import LongformerAttention
from engine.spec.cells import Cell, expand_cells
from engine.spec.shapes import network_shape

QUICKSTART = Path(__file__).parent.parent / "specs" / "quickstart.yaml"


def cells() -> dict[str, Cell]:
    return {cell.arm: cell for cell in expand_cells(load_spec(QUICKSTART))}


def test_sparse_arm_sees_under_60_per_cent_of_a_stage_1_window() -> None:
    settings = cells()["sparse"].settings
    stage = network_shape(settings.student, settings.data.image_size).stages[1]
    assert stage.sparse is not None
    assert stage.sparse.globals > 0
    assert stage.keys_per_query / stage.window**2 < 0.6


def test_arms_show_the_whole_flow() -> None:
    found = cells()
    assert list(found) == ["original", "sparse", "distilled", "distilled_pruned"]
    assert found["original"].settings.student.attention.kind == "window"
    assert isinstance(found["sparse"].settings.student.attention, LongformerAttention)
    teacher = found["distilled"].settings.teacher
    assert teacher is not None
    assert teacher.arch.startswith("timm/convnextv2")
    assert teacher.train is not None
    assert found["distilled_pruned"].settings.is_pruned


def test_quickstart_stands_by_itself() -> None:
    spec = load_spec(QUICKSTART)
    assert spec.extends is None
    assert (spec.data.source, spec.baseline, len(spec.seeds)) == ("digits", "original", 2)
