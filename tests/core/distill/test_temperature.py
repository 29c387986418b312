"""A temperature is a pure function of where a training stands; matched and fitted ones are what was planted."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from engine.core.data.pack import Pack
from engine.core.distill.answering import Ask
from engine.core.distill.diagnose import diagnose_entropy
from engine.core.distill.encoding import Answers
from engine.core.distill.temperature import TemperatureCurve, match_temperature, schedule_temperature, taught_epochs
from engine.core.train.loop import Stopped
from engine.errors import JobError
from engine.spec import Distill, Train
from tests.core.train.toy import Notes, make_loop

TRAIN = Train(epochs=4, batch_size=128, lr=1e-3, precision="fp32", threads=1)


def curve(words: dict[str, Any], epochs: int = 4, steps: int = 5) -> TemperatureCurve:
    return schedule_temperature(Distill.model_validate({"temperature": words}), epochs, steps)


def test_a_number_stays_what_it_is() -> None:
    constant = schedule_temperature(Distill(temperature=3.0), 4, 5)
    assert {constant.at(step // 5, step) for step in range(20)} == {3.0}


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
@pytest.mark.parametrize("by", ["step", "epoch"])
def test_a_schedule_begins_and_ends_where_it_says(schedule: str, by: str) -> None:
    found = curve({"from": 8.0, "to": 2.0, "schedule": schedule, "by": by})
    values = [found.at(step // 5, step) for step in range(20)]
    assert values[0] == 8.0
    assert values[-1] == pytest.approx(2.0)
    assert values == sorted(values, reverse=True)
    assert len(set(values)) == (20 if by == "step" else 4)


def test_linear_is_a_line_and_cosine_half_a_wave() -> None:
    line = curve({"from": 8.0, "to": 2.0}, 5, 1)
    assert [line.at(step, step) for step in range(5)] == pytest.approx([8.0, 6.5, 5.0, 3.5, 2.0])
    wave = curve({"from": 8.0, "to": 2.0, "schedule": "cosine"}, 5, 1)
    assert [wave.at(step, step) for step in range(5)] == pytest.approx([8.0, 7.1213, 5.0, 2.8787, 2.0], abs=1e-4)


def test_a_schedule_ends_with_the_epochs_that_are_distilled() -> None:
    half = schedule_temperature(Distill.model_validate({"temperature": {"from": 4.0, "to": 1.0}, "until": 0.5}), 4, 5)
    assert half.at(1, 9) == pytest.approx(1.0)
    assert half.at(3, 19) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("until", "epochs", "taught"),
    [(0.5, 4, 2), (0.5, 5, 3), (0.01, 10, 1), (1.0, 7, 7), (0.28, 25, 7), (0.55, 100, 55)],
)
def test_a_begun_epoch_is_distilled_and_no_other(until: float, epochs: int, taught: int) -> None:
    assert taught_epochs(Distill(until=until), epochs) == taught


def test_one_step_takes_the_beginning() -> None:
    assert curve({"from": 4.0, "to": 1.0}, 1, 1).at(0, 0) == 4.0


def test_entropy_is_matched_to_the_reference() -> None:
    logits = torch.randn(300, 20, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 3
    assert match_temperature(8 * logits, logits, 1.0) == pytest.approx(8.0, rel=1e-9)
    found = match_temperature(logits, logits / 5, 2.0)
    assert diagnose_entropy(logits, found) == pytest.approx(diagnose_entropy(logits / 5, 2.0), rel=1e-9)
    with pytest.raises(JobError, match="no temperature"):
        match_temperature(torch.zeros(5, 20), logits, 1.0)


def taught(asked: list[int]) -> Ask:
    def ask(batch: object) -> Answers:
        rows = batch.rows  # type: ignore[attr-defined]
        asked.append(len(rows))
        return Answers(torch.arange(10.0).repeat(len(rows), 1))

    return ask


def run(pack: Pack, notes: Notes, state: object = None, **words: object) -> Notes:
    distill = Distill.model_validate(words)
    loop = make_loop(
        pack, notes, train=TRAIN, distill=distill, teacher=taught([]), schedule=schedule_temperature(distill, 4, 3)
    )
    torch.manual_seed(0)
    if state is not None:
        loop.restore(state)  # type: ignore[arg-type]
    loop.run()
    notes.saved[-1] = (0, loop.capture())
    return notes


def test_the_effective_temperature_is_logged_for_each_epoch_that_is_distilled(pack: Pack) -> None:
    notes = run(pack, Notes(), temperature={"from": 8.0, "to": 2.0, "by": "epoch"})
    assert notes.values("temperature") == pytest.approx([8.0, 6.0, 4.0, 2.0])
    stopped = run(pack, Notes(), temperature=2.0, until=0.5)
    assert [epoch for name, _, _, epoch in stopped.metrics if name == "temperature"] == [0, 1]


def test_stopped_in_mid_epoch_the_temperature_goes_on_as_if_nothing_was(pack: Pack) -> None:
    words = {"temperature": {"from": 8.0, "to": 1.0, "schedule": "cosine"}}
    straight = run(pack, Notes(), **words)
    first, second = Notes(stop_at=5), Notes()
    with pytest.raises(Stopped):
        run(pack, first, **words)
    run(pack, second, first.saved[-1][1], **words)
    assert first.values("temperature") + second.values("temperature") == straight.values("temperature")
    one, other = straight.saved[-1][1]["network"], second.saved[-1][1]["network"]
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_after_its_share_of_the_epochs_a_student_goes_on_as_an_untaught_one(pack: Pack) -> None:
    half, plain = run(pack, Notes(), weight=1.0, label_weight=0.0, until=0.5), Notes()
    state = next(state for _, state in half.saved if state["progress"]["epoch"] == 2)
    loop = make_loop(pack, plain, train=TRAIN)
    loop.restore(state)
    loop.run()
    assert plain.values("train_loss") == half.values("train_loss")[2:]
    last = half.saved[-1][1]["network"]
    assert all(torch.equal(value, last[name]) for name, value in loop.network.state_dict().items())


def test_the_logged_temperature_is_that_of_the_epochs_last_step(pack: Pack) -> None:
    notes = run(pack, Notes(), temperature={"from": 13.0, "to": 2.0, "by": "step"})
    assert notes.values("temperature") == pytest.approx([11.0, 8.0, 5.0, 2.0])  # steps 2, 5, 8, 11 of 12
