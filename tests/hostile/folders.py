"""Folders without an end, and names that no screen should show."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

from tests.hostile.cases import Case
from tests.hostile.images import REPORT, good_set, png

Make = Callable[[Path], object]
IMAGE = png(40, 30)


def in_set(name: str, change: Make, code: int, *says: str, never: tuple[str, ...] = ()) -> Case:
    """A good set, and what `change` does to it."""
    return Case(name, lambda folder: change(good_set(folder)), REPORT, code, says, never)


def put(place: Path, content: bytes = IMAGE) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)


def loop(root: Path) -> None:
    (root / "ant" / "up").symlink_to(root)
    (root / "ant" / "self.png").symlink_to("self.png")


def ladder(root: Path) -> None:
    """Thirty folders, each with two links to the next: a thousand million ways to the last."""
    for step in range(30):
        (root.parent / f"step{step}").mkdir()
        for name in ("l", "r"):
            (root.parent / f"step{step}" / name).symlink_to(root.parent / f"step{step + 1}")
    put(root.parent / "step30" / "x.png")
    (root / "ant" / "first").symlink_to(root.parent / "step0")


def deep(root: Path) -> None:
    """Three hundred folders in each other."""
    here = os.getcwd()
    try:
        os.chdir(root / "ant")
        for _ in range(300):
            os.mkdir("d")
            os.chdir("d")
    finally:
        os.chdir(here)


def whole_disk(root: Path) -> None:
    (root / "ant" / "all").symlink_to("/")


def linked_out(root: Path) -> None:
    put(root.parent / "elsewhere" / "x.png")
    (root / "ant" / "x.png").symlink_to(root.parent / "elsewhere" / "x.png")


def plug(root: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        here = os.getcwd()
        os.chdir(root / "ant")  # a socket's path has 107 bytes at most
        try:
            server.bind("x.png")
        finally:
            os.chdir(here)


def renamed(name: str) -> Make:
    return lambda root: (root / "bee").rename(root / name)


def named_file(name: str, content: bytes = IMAGE) -> Make:
    return lambda root: put(root / "ant" / name, content)


def two_forms(root: Path) -> None:
    put(root / "caf\u00e9" / "x.png")
    put(root / "cafe\u0301" / "x.png")


def odd_root(folder: Path) -> None:
    good_set(folder).rename(folder / os.fsdecode(b"caf\xe9"))


ODD = ("data", "report", os.fsdecode(b"caf\xe9"))
CASES: list[Case] = [
    in_set("links in a circle", loop, 2, "self.png", "cannot read this image"),
    in_set("a thousand million ways", ladder, 2, "more than 64 ways lead to this folder"),
    in_set("300 folders in each other", deep, 2, "folders deep", "folder_depth"),
    in_set("a link to the whole disk", whole_disk, 0, "4 images"),
    in_set("a link to an image elsewhere", linked_out, 0, "5 images"),
    in_set("a dangling link", lambda root: (root / "ant" / "x.png").symlink_to("none"), 2, "x.png", "repair the link"),
    in_set("a pipe as png", lambda root: os.mkfifo(root / "ant" / "x.png"), 2, "it is no regular file"),
    in_set("a socket as png", plug, 2, "it is no regular file"),
    in_set("a device as png", lambda root: (root / "ant" / "x.png").symlink_to("/dev/zero"), 2, "no regular file"),
    in_set("a pipe beside the images", lambda root: os.mkfifo(root / "ant" / "x.txt"), 0, "4 images", "1 .txt"),
    in_set("a folder called png", lambda root: put(root / "ant" / "x.png" / "y.png"), 0, "5 images"),
    in_set("a class that is no UTF-8", renamed(os.fsdecode(b"ab\xe9")), 2, r"'ab\xe9' is no UTF-8"),
    in_set("a class of a line break", renamed("a\n# b"), 2, "has control characters"),
    in_set("a class of an escape", renamed("\x1b]52;c;eA==\x07"), 2, "has control characters"),
    in_set("a class of blanks", renamed("\u2003 "), 2, "is blank"),
    in_set("a class in two forms of unicode", two_forms, 2, "two forms of Unicode"),
    in_set("a class of 250 letters", renamed("b" * 250), 0, "b" * 250),
    in_set("a class like a part of a page", renamed("<img src=x onerror=alert(1)>"), 0, "4 images"),
    in_set("a file that is no UTF-8", named_file(os.fsdecode(b"caf\xe9.png"), b"x"), 0, r"caf\xe9.png", "broken: 1"),
    in_set("a broken file with an escape in its name", named_file("\x1b[2J.png", b"x"), 0, "broken: 1", r"\x1b[2J.png"),
    in_set("a broken file with a line break in its name", named_file("a\nb.png", b"x"), 0, r"a\x0ab.png"),
    in_set("a suffix of an escape", named_file("x.\x1b[2J", b"x"), 0, r"\x1b[2j", "passed over"),
    in_set("a file of 250 letters", named_file("x" * 246 + ".png"), 0, "5 images"),
    in_set("classes that differ only in case", lambda root: put(root / "Ant" / "x.png"), 0, "only in case", "Ant"),
    Case("a root that is no UTF-8", odd_root, ODD, 0, ("4 images",)),
    Case("a root that is no UTF-8 and is not there", lambda folder: None, ODD, 2, ("there is no", "caf")),
    Case("a pipe as root", lambda folder: os.mkfifo(folder / "set"), REPORT, 2, ("set",)),
    Case("a text as root", lambda folder: (folder / "set").write_text("x"), REPORT, 2, ("no archive",)),
]
