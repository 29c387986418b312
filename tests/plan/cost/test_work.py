"""The work in each kind of job, counted as the job does it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from engine.home.paths import Home
from engine.load import load_spec
from engine.plan import make_plan
from engine.plan.cost.speeds import FeedSpeed, Speed, Speeds
from engine.plan.cost.work import EPOCH, EXPORT, FORK, STEP, Asked, Loading, Pass, Work, count_work, list_questions
from engine.plan.estimate import count_works
from engine.spec.job_settings import JobSettings
from tests.plan.conftest import QUICKSTART
from tests.plan.cost.conftest import make_feed, make_probe

Counter = Callable[..., dict[str, Work]]
IMAGES = 1797  # digits
TRAIN, VAL, TEST = IMAGES * 0.6, IMAGES * 0.2, IMAGES * 0.2


@pytest.fixture
def works(home: Home) -> Counter:
    """Return the works of the quickstart's last run with overrides, by role."""

    def count(*overrides: str) -> dict[str, Work]:
        plan = make_plan(load_spec(QUICKSTART, overrides), home)
        found = count_works(plan, lambda kind, details: "cpu")
        return {role: found[key] for role, key in plan.runs[-1].jobs.items()}

    return count


def images_of(passes: Sequence[Pass], way: str) -> float:
    return sum(each.images for each in passes if each.way == way)


def test_a_training_steps_through_each_image_in_each_epoch(works: Counter) -> None:
    work = works()["student"]
    assert images_of(work.passes, "step") == pytest.approx(10 * TRAIN)
    assert images_of(work.passes, "forward") == pytest.approx(11 * VAL + 2 * TEST)
    assert work.fixed == pytest.approx(FORK + 10 * EPOCH + 10 * TRAIN / 64 * STEP)
    assert {each.probe.trains for each in work.passes} == {True}


def test_a_probed_teacher_is_never_trained_whole(works: Counter) -> None:
    given = ("teacher.train=null", "teacher.options=null", "teacher.weights=pretrained")
    trained, probed = works()["teacher"], works(*given, "teacher.head=probe")["teacher"]
    assert {each.probe.trains for each in trained.passes} == {True}
    assert {each.probe.trains for each in probed.passes} == {False}


def test_views_that_come_again_are_made_once(works: Counter) -> None:
    assert works()["student"].loads[0].train == pytest.approx(4 * TRAIN)
    assert works("data.views=null")["student"].loads[0].train == pytest.approx(10 * TRAIN)
    assert works("data.views=4", "data.image_size=1024")["student"].loads[0].train == pytest.approx(10 * TRAIN)


def test_a_teacher_in_the_step_looks_at_every_image(works: Counter) -> None:
    cached, online = works(), works("arms.distilled.teacher.targets=online")
    (heard,) = [each for each in online["student"].passes if "convnextv2" in each.probe.network]
    assert heard.way == "forward"
    assert heard.images == pytest.approx(10 * TRAIN)
    assert not any("convnextv2" in each.probe.network for each in cached["student"].passes)


def test_targets_are_the_views_and_one_look_at_all(works: Counter) -> None:
    work = works()["targets"]
    assert images_of(work.passes, "forward") == pytest.approx(4 * TRAIN + IMAGES)
    assert [work.loads[0].train, work.loads[0].evaluate] == pytest.approx([4 * TRAIN, IMAGES])


def test_pruning_steps_to_judge_and_recovers_with_what_is_left(works: Counter) -> None:
    work = works()["prune"]
    assert images_of(work.passes, "step") == pytest.approx(0.8 * 3 * TRAIN + 512)
    assert work.threads == 1


def test_a_measurement_takes_its_seconds_however_fast_the_network(works: Counter) -> None:
    work = works()["measure"]
    assert {(each.call.way, each.call.images) for each in work.timings} == {("single", 1), ("forward", 64)}
    fast = Speeds({each.probe: Speed(macs=1, params=1, saved=1, forward=1e-9, single=1e-9) for each in work.probes}, {})
    slow = Speeds({each.probe: Speed(macs=1, params=1, saved=1, forward=1.0, single=1.0) for each in work.probes}, {})
    least = 2 * len(work.timings) // 2 * 0.5
    assert least < work.seconds(fast, 2) < least + 6
    assert work.seconds(slow, 2) > 6 * 3 * 65


def test_a_runtime_is_one_more_way_and_a_file_for_each_network(works: Counter) -> None:
    plain, filed = works()["measure"], works("measure.runtimes=[onnxruntime]")["measure"]
    assert len(filed.timings) == 2 * len(plain.timings)
    assert filed.fixed == pytest.approx(plain.fixed + 2 * EXPORT)


def test_maps_are_followed_by_their_curves(works: Counter) -> None:
    assert images_of(works()["explain"].passes, "forward") == 6 * 4 * 17


def test_packing_looks_at_every_original(works: Counter) -> None:
    (load,) = works()["pack"].loads
    assert load.pack == IMAGES
    assert not load.feed.is_photo


def test_loading_costs_nothing_where_a_core_is_free() -> None:
    speeds = Speeds({make_probe(): Speed(macs=1, params=1, saved=1, step=1.0)}, {})
    slow = Speeds(speeds.networks, {make_feed(): FeedSpeed(train=0.8, evaluate=0, pack=0)})

    def seconds(workers: int, cores: int) -> float:
        work = Work((Pass(make_probe(), "step", 10),), (Loading(make_feed(), train=10),), 0.0, workers, 1)
        return work.seconds(slow, cores)

    assert seconds(0, 8) == 18
    assert seconds(2, 1) == 18
    assert seconds(2, 2) == 10


def test_a_kind_that_nobody_has_taken_apart_takes_a_moment() -> None:
    class Other(JobSettings):
        pass

    from engine.spec.job_settings import JobDetails

    assert count_work(Asked(Other(), JobDetails(), 100, "cpu")) == Work()


def test_each_network_is_asked_about_once_the_busiest_first(works: Counter) -> None:
    probes, feeds = list_questions(works())
    assert len(probes) == 3  # original's network is measured beside the pruned one's, and the teacher's
    assert len({(probe.network, probe.image_size) for probe in probes}) == 3
    assert sum(probe.trains for probe in probes) == 2
    assert len(feeds) == 2
