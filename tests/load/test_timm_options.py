"""The shipped table of options is timm's: every network that timm lists, and what the pinned one takes."""

from __future__ import annotations

from pathlib import Path

import engine.load.timm_options as shipped
from engine.load.timm_options import ANY, known_options, option_problems
from engine.spec import Student
from engine.spec.architectures import known_networks
from tests.load.timm_table import option_table


def test_the_table_is_timms() -> None:
    assert Path(shipped.__file__).with_name("timm_options.txt").read_text() == option_table()


def test_every_network_has_its_options() -> None:
    names = {name.removeprefix("timm/").partition(".")[0] for name in known_networks() if name.startswith("timm/")}
    assert names <= known_options().keys()
    assert sum(ANY in options for options in known_options().values()) < len(names) / 10


def test_a_tag_leaves_the_options() -> None:
    student = Student(arch="timm/convnextv2_atto.fcmae", options={"depths": [1, 1, 1, 1], "dimms": 3})
    ((path, what, fix),) = option_problems(student, "student")
    assert path == "student.options.dimms"
    assert what == "timm/convnextv2_atto.fcmae takes no option 'dimms'"
    assert fix == "did you mean 'dims'?"


def test_a_network_without_drop_path_is_asked_for_none() -> None:
    ((path, what, fix),) = option_problems(Student(arch="timm/efficientvit_m2", drop_path=0.0), "student")
    assert (path, what) == ("student.drop_path", "timm/efficientvit_m2 has no drop path")
    assert fix == "write drop_path: null"
    assert list(option_problems(Student(arch="timm/efficientvit_m2"), "student")) == []
    assert list(option_problems(Student(arch="timm/vit_tiny_patch16_224", drop_path=0.1), "student")) == []
