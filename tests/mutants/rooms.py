"""Rooms by name: takes a tree and a name, gives the files of the one room of that name, wherever it lies today.

A room is a folder or file of engine/ or store/. Its queries are its own too: store/queries/report_*.sql of `report`.
"""

from __future__ import annotations

from pathlib import Path

TOPS = ("engine", "store")


class UnknownRoom(Exception):
    """No room of that name, or several."""


def list_rooms(root: Path) -> list[str]:
    """Return every room as a path without its suffix, folders and files alike."""
    found: set[str] = set()
    for top in TOPS:
        for file in (root / top).rglob("*.py"):
            inside = file.relative_to(root)
            if not file.name.startswith("__"):
                found.add(str(inside.with_suffix("")))
            found |= {str(folder) for folder in inside.parents if folder != Path(".")}
    return sorted(found)


def find_room(root: Path, name: str) -> str:
    """Return the one room whose path ends in `name`; a folder comes before files. Raises UnknownRoom."""
    wanted = tuple(Path(name.strip("/").removesuffix(".py")).parts)
    every = list_rooms(root)
    fitting = [room for room in every if wanted and Path(room).parts[-len(wanted) :] == wanted]
    exact = [room for room in fitting if Path(room).parts == wanted]
    folders = [room for room in fitting if (root / room).is_dir()]
    for group in (exact, folders, fitting):
        if len(group) == 1:
            return group[0]
        if group:
            raise UnknownRoom(f"{name!r} may be any of {', '.join(group)}: give more of its path")
    raise UnknownRoom(f"no room is called {name!r}; rooms are {', '.join(every)}")


def files_of(root: Path, room: str) -> list[str]:
    """Return the sources and queries of a room, as paths from the root."""
    base = root / room
    files = [base.with_suffix(".py")] if not base.is_dir() else [*base.rglob("*.py"), *base.rglob("*.sql")]
    for top in TOPS:
        files += (root / top).rglob(f"{base.name}_*.sql")
    return sorted({str(file.relative_to(root)) for file in files if file.is_file()})
