"""Memory of a control group, of either version, and the counter that tells whom it was too much for."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.launch.memory import NO_LIMIT, count_kills, memory_limit, memory_room, oom_counter

GB = 1 << 30
V1_LINES = "5:devices:/\n4:cpu,memory:/a/b\n1:name=systemd:/\n0::/\n"
V2_LINES = "0::/a/b\n"


def lay(root: Path, **files: object) -> None:
    """Write files; `memory_max` is memory.max."""
    root.mkdir(parents=True, exist_ok=True)
    for name, value in files.items():
        (root / name.replace("memory_", "memory.", 1)).write_text(f"{value}\n")


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A machine of 64 GB of which 40 are free, without control groups."""
    about = f"MemTotal: {64 * GB // 1024} kB\nMemFree: 1 kB\nMemAvailable: {40 * GB // 1024} kB"
    lay(tmp_path / "proc", meminfo=about, vmstat="nr_free 3\noom_kill 7")
    return tmp_path


def ask(machine: Path) -> tuple[float, float, int | None]:
    """Limit and room in GB, kills."""
    words = machine / "proc", machine / "groups"
    return memory_limit(*words) / GB, memory_room(*words) / GB, count_kills(oom_counter(*words))


def test_without_a_group_the_machine_counts(machine: Path) -> None:
    assert ask(machine) == (64, 40, 7)
    lay(machine / "proc/self", cgroup=V2_LINES)
    assert ask(machine) == (64, 40, 7), "its folder is not mounted here"


def test_the_limit_of_a_v2_group_or_one_around_it_counts(machine: Path) -> None:
    lay(machine / "proc/self", cgroup=V2_LINES)
    lay(machine / "groups/a/b", memory_max="max", memory_current=2 * GB, memory_events="oom_kill 1")
    assert ask(machine) == (64, 40, 1)
    lay(machine / "groups/a", memory_max=8 * GB, memory_current=6 * GB, memory_events="oom_kill 9")
    assert ask(machine) == (8, 2, 1)
    lay(machine / "groups/a", memory_stat=f"anon 5\ninactive_file {GB}")
    assert ask(machine) == (8, 3, 1), "the page cache gives that back"


def test_the_limit_of_a_v1_group_counts(machine: Path) -> None:
    lay(machine / "proc/self", cgroup=V1_LINES)
    group = machine / "groups/memory/a/b"
    lay(group, memory_limit_in_bytes=4 * GB, memory_usage_in_bytes=5 * GB)
    lay(group, memory_oom_control="oom_kill_disable 0\nunder_oom 0\noom_kill 2")
    assert ask(machine) == (4, 0, 2)
    lay(group, memory_limit_in_bytes=9223372036854771712)
    assert ask(machine) == (64, 40, 2), "that is how version 1 writes that there is none"


def test_in_a_container_what_is_mounted_is_the_own_group(machine: Path) -> None:
    lay(machine / "proc/self", cgroup="0::/docker/5829dc")
    lay(machine / "groups", memory_max=3 * GB, memory_current=0, memory_events="low 0\noom_kill 4")
    assert ask(machine) == (3, 3, 4)


def test_where_nothing_is_told_nothing_is_limited(tmp_path: Path) -> None:
    words = tmp_path / "proc", tmp_path / "groups"
    assert memory_limit(*words) == memory_room(*words) == NO_LIMIT
    assert count_kills(oom_counter(*words)) is None


def test_this_machine_tells_of_some_memory() -> None:
    assert 0 < memory_room() <= memory_limit() < NO_LIMIT
