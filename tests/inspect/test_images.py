"""`xp data`: the report of a folder and the contact sheet of a spec, as a person meets them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.cli import main
from engine.core.data.pack import is_valid_pack, open_pack
from engine.core.data.preview import CAPTION, GAP
from engine.errors import DataError, XpError
from engine.home.paths import Home, open_home
from engine.inspect.images import MOST_VIEWS, SHEET_SIDE, write_preview
from engine.load import load_spec
from engine.plan import make_plan
from engine.spec import Spec
from tests.cli.test_cli import run_xp

SPEC = """
name: photos
data: {{source: folder, root: "{root}", image_size: 32, short_side: 48, augment: {{rand_augment: rand-m9-inc1}}}}
student: {{arch: tiny_vit, dims: [8, 8, 16, 16], depths: [1, 1, 1, 1], heads: [1, 1, 2, 2], windows: [4, 4, 2, 1]}}
"""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return open_home(tmp_path / "home", create=True)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    noise = np.random.default_rng(0)
    for name in ("n01440764", "n02102040"):
        (tmp_path / "set" / name).mkdir(parents=True)
        for number in range(10):
            pixels = noise.integers(0, 256, (70, 80, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "set" / name / f"{number}.png")
    (tmp_path / "photos.yaml").write_text(SPEC.format(root=tmp_path / "set"))
    return tmp_path / "photos.yaml"


def draw(home: Home, spec: Spec, out: Path) -> tuple[int, int]:
    """Return how many pictures wide and lines high the sheet is."""
    write_preview(home, spec, out, lambda done, count: None, rows=4)
    with Image.open(out) as sheet:
        return (sheet.width - GAP) // (SHEET_SIDE + GAP), (sheet.height - GAP) // (SHEET_SIDE + CAPTION + GAP)


@pytest.mark.parametrize(("views", "shown"), [("null", MOST_VIEWS), ("2", 2), ("1", 1), ("300", MOST_VIEWS)])
def test_the_sheet_shows_no_view_that_a_student_never_sees(home: Home, file: Path, views: str, shown: int) -> None:
    assert draw(home, load_spec(file, [f"data.views={views}"]), file.parent / "sheet.png") == (1 + shown, 4)


def test_the_sheet_leaves_the_pack_that_the_first_arm_trains_on(home: Home, file: Path) -> None:
    spec = load_spec(file, ["data.format=raw", "matrix={data.format: [jpeg, raw]}"])
    draw(home, spec, file.parent / "sheet.png")
    folder = home.pack(make_plan(spec, home).jobs[0].key)
    assert is_valid_pack(folder)
    assert open_pack(folder).format == "jpeg"


def test_images_that_change_while_a_sheet_is_drawn_leave_no_pack(
    home: Home, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = make_plan(load_spec(file), home)
    monkeypatch.setattr("engine.inspect.images.make_plan", lambda spec, home: planned)
    (file.parent / "set" / "n01440764" / "0.png").unlink()
    with pytest.raises(DataError, match="have changed since"):
        draw(home, load_spec(file), file.parent / "sheet.png")
    assert not home.pack(planned.jobs[0].key).exists()


@pytest.mark.parametrize("name", ["sheet.jpg", "taken/sheet.png"])
def test_a_sheet_that_cannot_be_written_names_its_file(home: Home, file: Path, name: str) -> None:
    (file.parent / "taken").write_text("a file")
    with pytest.raises(XpError) as caught:
        draw(home, load_spec(file), file.parent / name)
    assert str(file.parent / name) in str(caught.value)
    assert caught.value.fix


def test_a_sheet_that_cannot_be_written_is_refused_without_a_traceback(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Through `main`, as from a terminal, and here: it loads torch, which is loaded already."""
    words = ["data", "preview", str(file), "-o", str(file.parent / "sheet"), "--home", str(file.parent / "home")]
    monkeypatch.setattr("sys.argv", ["xp", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert str(file.parent / "sheet") in said
    assert "\nfix: " in said


def test_the_report_counts_classes_by_their_meaning(file: Path) -> None:
    text = run_xp("data", "report", file.parent / "set", home=file.parent / "home").stdout
    assert "20 images in 2 classes, 10 to 10 in one" in text
    assert "n01440764 tench: 10" in text


def test_absent_images_are_told_to_whoever_asks_for_a_sheet(home: Home, file: Path) -> None:
    with pytest.raises(XpError, match="there is no /nowhere"):
        draw(home, load_spec(file, ["data.root=/nowhere"]), file.parent / "sheet.png")
