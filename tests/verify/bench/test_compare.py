"""Networks are compared with the first, paired by round; the same one twice cannot be told apart."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Self

import pytest
from scipy import stats
from torch import nn

from engine.core.measure import Burst, Load
from engine.errors import JobError
from engine.run.rounds import Timings
from engine.verify.bench import compare
from engine.verify.bench.compare import Wanted, compare_networks
from engine.verify.bench.subjects import Subject, find_subjects
from tests.helpers.onnx_files import write_small

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
FAST = {"slow": 2.0, "own": 1.0}


class FakeBench:
    """A call takes its network's seconds, a tenth more in each round; what the machine does meets all."""

    opened: ClassVar[list[str]] = []
    refuses: ClassVar[dict[str, str]] = {}

    def __init__(self, make: Any, look_up: Callable[[], None]) -> None:
        self.setup, self.name = make.args[0], make.args[1].__name__
        self.opened.append(self.name)
        self.round = (self.opened.count(self.name) - 3) // 1

    def ask(self, method: str, *words: Any) -> Any:
        if method == "write":
            return {}
        if method == "refusals":
            return dict(self.refuses)
        if method == "warm_up":
            return None
        return Burst([FAST[self.name] * (1 + 0.1 * self.round)] * 2, {})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to end."""


def slow() -> nn.Module:
    raise AssertionError("made in a process of its own")


def own() -> nn.Module:
    raise AssertionError("made in a process of its own")


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> type[FakeBench]:
    FakeBench.opened, FakeBench.refuses = [], {}
    monkeypatch.setattr(compare, "BenchProcess", FakeBench)
    return FakeBench


SUBJECTS = [Subject("a", 8, slow), Subject("b", 8, own)]


def test_each_is_so_many_times_as_fast_as_the_first(fake: type[FakeBench]) -> None:
    told: list[str] = []
    found = compare_networks(SUBJECTS, Wanted(("eager",), rounds=4, seconds=0.1), told.append)
    first, second = found.lines
    assert first.ratio is None
    assert second.ratio is not None
    assert second.ratio.n == 4
    assert [second.ratio.ratio, *second.ratio.edges] == pytest.approx([2.0] * 3)
    assert told == [f"round {number} of 4" for number in (1, 2, 3, 4)]
    assert fake.opened[4:] == ["slow", "own"] * 4


def test_the_interval_is_that_of_paired_rounds() -> None:
    base, mine = [1.0, 1.2, 1.1, 1.4], [0.5, 0.7, 0.5, 0.6]
    ratio = compare._ratio(Timings([[one] for one in mine]), Timings([[one] for one in base]))
    assert ratio is not None
    logs = [math.log(two / one) for one, two in zip(mine, base, strict=True)]
    low, high = stats.ttest_1samp(logs, 0.0).confidence_interval(0.95)
    assert list(ratio.edges) == pytest.approx([math.exp(low), math.exp(high)])


def test_every_load_has_its_lines(fake: type[FakeBench]) -> None:
    wanted = Wanted(("eager", "onnxruntime"), (1, 8), (1, 2), rounds=3, seconds=0.1)
    found = compare_networks(SUBJECTS, wanted, lambda text: None)
    assert [line.load for line in found.lines[::2]] == wanted.loads
    assert len(wanted.loads) == 8
    assert [line.name for line in found.lines[:2]] == ["a", "b"]


def test_what_cannot_be_run_is_told_before_the_rounds(fake: type[FakeBench]) -> None:
    fake.refuses = {"onnxruntime": "ONNX has no operator for aten.x"}
    with pytest.raises(JobError, match=r"a cannot be run as onnxruntime: ONNX has no operator for aten\.x") as caught:
        compare_networks(SUBJECTS, Wanted(("onnxruntime",)), lambda text: None)
    assert caught.value.fix == "leave onnxruntime away"
    assert len(fake.opened) == 2


def test_one_file_against_itself_cannot_be_told_apart(tmp_path: Path) -> None:
    """With real processes; 99.9 % of such intervals, so that chance is no failure."""
    file = str(write_small(tmp_path / "a.onnx", channels=16, image_size=32))
    subjects = find_subjects([file, file], lambda: pytest.fail("no home"))
    found = compare_networks(subjects, Wanted(("onnxruntime",), rounds=3, seconds=0.06), lambda text: None)
    ratio = found.lines[1].ratio
    assert ratio is not None
    assert ratio.p_at(1.0) > 0.001
    assert 0.2 < ratio.ratio < 5.0
    assert found.lines[0].load == Load(1, 1, "onnxruntime")
