"""`xp describe`: a table for each arm, of that arm's network, at the classes that the images have."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from engine.core.describe import describe_network
from engine.home.paths import Home, open_home
from engine.inspect.layers import CLASSES, describe_arms
from engine.load import load_spec

TINY = Path(__file__).parents[1] / "resources" / "tiny.yaml"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return open_home(tmp_path / "home", create=True)


def test_each_arm_has_one_table_of_its_own_network(home: Home) -> None:
    spec = load_spec(TINY, ["matrix={train.lr: [0.1, 0.2]}", "train.memory=lean"])
    tables = list(describe_arms(spec, home))
    assert [(table.arm, table.num_classes) for table in tables] == [
        ("original", 10),
        ("distilled", 10),
        ("distilled_pruned", 10),
    ]
    assert list(tables[0].rows) == describe_network(spec.student, 10, spec.data.image_size, memory="lean")
    texts = [" ".join(row.attention for row in table.rows) for table in tables[:2]]
    assert texts[0] != texts[1]
    told = tables[0].as_json()
    assert (told["arm"], told["num_classes"]) == ("original", 10)
    assert [row["layer"] for row in told["layers"]] == [row.layer for row in tables[0].rows]


def test_of_a_matrix_the_first_point_is_shown(home: Home) -> None:
    spec = load_spec(TINY, ["matrix={data.image_size: [32, 64]}", "arms={only: {}}"])
    first = describe_network(spec.student, 10, 32, memory="standard")
    assert next(describe_arms(spec, home)).rows == tuple(first)


def test_absent_images_are_taken_as_100_classes(home: Home, tmp_path: Path) -> None:
    spec = load_spec(TINY, ["data.source=folder", f"data.root={tmp_path}/gone"])
    assert next(describe_arms(spec, home)).num_classes == CLASSES == 100


def test_classes_are_those_of_the_arm(home: Home, tmp_path: Path) -> None:
    for number, name in enumerate(("ant", "bee", "cow")):
        (tmp_path / "set" / name).mkdir(parents=True)
        Image.new("RGB", (8, 8), (number, 0, 0)).save(tmp_path / "set" / name / "one.png")
    arms = "arms={few: {data.classes: [ant, cow]}}"
    spec = load_spec(TINY, ["data.source=folder", f"data.root={tmp_path}/set", arms])
    found = {table.arm: table.num_classes for table in describe_arms(spec, home)}
    assert (found["original"], found["few"]) == (3, 2)
