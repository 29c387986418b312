"""Images on another machine are fetched once, when that is asked for, and used from the copy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest
from typer.testing import CliRunner

from engine.cli import app
from engine.errors import DataError, MissingData
from engine.inputs.content import data_content
from engine.inputs.remote import fetch_copy, find_copy, is_remote
from engine.spec import Data
from tests.inputs.forms.making import draw_photos, write_folder, write_parquet


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XP_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def far() -> Iterator[fsspec.AbstractFileSystem]:
    system = fsspec.filesystem("memory")
    yield system
    system.store.clear()
    system.pseudo_dirs[:] = [""]


def send(system: fsspec.AbstractFileSystem, folder: Path, place: str) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            system.pipe(f"{place}/{path.relative_to(folder).as_posix()}", path.read_bytes())


def quiet(done: int, count: int) -> None:
    pass


@pytest.mark.parametrize("text", ["s3://a/b", "https://x.org/a.zip?sign=1", "hf://datasets/a/b"])
def test_an_address_has_a_way_before_it(text: str) -> None:
    assert is_remote(text)


@pytest.mark.parametrize("text", ["/a/b", "a/b", "C://x y", "~/a", "a:b", "://a"])
def test_a_path_is_no_address(text: str) -> None:
    assert not is_remote(text)


def test_a_folder_is_fetched_once_and_is_the_same_set(tmp_path: Path, far: fsspec.AbstractFileSystem) -> None:
    here = write_folder(draw_photos(), tmp_path / "set")
    send(far, here, "/lab/set")
    data = Data(source="folder", root="memory://lab/set")
    with pytest.raises(MissingData, match=r"memory://lab/set has not been fetched\nfix: xp data fetch"):
        data_content(data, tmp_path / "digests.json")
    told: list[tuple[int, int]] = []
    copy = fetch_copy("memory://lab/set", lambda done, count: told.append((done, count)))
    assert told[-1][0] == told[-1][1] == sum(len(photo.content) for photo in draw_photos())
    far.rm("/lab", recursive=True)
    assert fetch_copy("memory://lab/set", quiet) == find_copy("memory://lab/set") == copy
    local = Data(source="folder", root=str(here))
    assert data_content(data, tmp_path / "digests.json") == data_content(local, tmp_path / "digests.json")


def test_a_single_file_keeps_its_name(tmp_path: Path, far: fsspec.AbstractFileSystem) -> None:
    root = write_parquet(draw_photos(), tmp_path / "set")
    far.pipe("/lab/train.parquet", (root / "data" / "train-00000-of-00002.parquet").read_bytes())
    copy = fetch_copy("memory://lab/train.parquet", quiet)
    assert copy.name == "train.parquet"
    content = data_content(Data(source="folder", root="memory://lab/train.parquet"), tmp_path / "digests.json")
    assert content.count == 4


def test_what_broke_off_goes_on(
    tmp_path: Path, far: fsspec.AbstractFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a/1.png", "b/2.png", "b/3.png"):
        far.pipe(f"/lab/{name}", name.encode())
    fetched, honest = list[str](), type(far).get_file

    def failing(self: fsspec.AbstractFileSystem, place: str, *rest: object) -> None:
        fetched.append(place)
        if len(fetched) == 3:
            raise OSError("the line is dead")
        honest(self, place, *rest)

    monkeypatch.setattr(type(far), "get_file", failing)
    with pytest.raises(
        DataError, match=r"memory://lab: cannot fetch this: the line is dead\nfix: try again, which goes on"
    ):
        fetch_copy("memory://lab", quiet)
    copy = fetch_copy("memory://lab", quiet)
    assert len(fetched) == 4
    assert sorted(path.read_text() for path in copy.rglob("*.png")) == ["a/1.png", "b/2.png", "b/3.png"]


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("file:///etc", r"address of this machine\nfix: write its path alone"),
        ("sft://a/b", r"no way is known to sft://"),
        ("memory://nowhere", "cannot fetch this"),
    ],
)
def test_what_cannot_be_had_is_named(address: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        fetch_copy(address, quiet)


def test_a_package_that_is_not_here_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def lacking(address: str) -> None:
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr("fsspec.core.url_to_fs", lacking)
    with pytest.raises(DataError, match=r"s3:// needs a package that is not here\nfix: .*Install s3fs"):
        fetch_copy("s3://a/b", quiet)


def test_a_name_that_leads_out_is_refused(
    far: fsspec.AbstractFileSystem, monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    far.pipe("/lab/a.png", b"1")
    monkeypatch.setattr(type(far), "find", lambda self, path, **more: {f"{path}/../../evil.png": {"size": 1}})
    with pytest.raises(DataError, match="a file leads out of the archive"):
        fetch_copy("memory://lab", quiet)
    assert not list(cache.rglob("evil.png"))


def test_the_command_fetches_what_a_spec_names(tmp_path: Path, far: fsspec.AbstractFileSystem) -> None:
    send(far, write_folder(draw_photos(), tmp_path / "set"), "/lab/set")
    spec = tmp_path / "study.yaml"
    spec.write_text(
        "name: a\ndata: {source: folder, root: 'memory://lab/set', image_size: 224}\nstudent: {arch: tiny_vit_5m}\n"
    )
    answer = CliRunner().invoke(app, ["data", "fetch", str(spec)])
    assert answer.exit_code == 0, answer.output
    assert (answer.exit_code, answer.stdout) == (0, f"{find_copy('memory://lab/set')}\n")
