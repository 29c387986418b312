"""The words about temperature and mixing: what may be written, what is refused and how, what enters an id."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.errors import SpecError
from engine.home.paths import open_home
from engine.load import load_spec
from engine.plan import make_plan
from engine.spec import Distill, EntropyMatch, Spec, TemperatureSchedule
from engine.spec.cells import expand_cells
from engine.spec.distill import LOSS_WORDS
from engine.spec.identity import counted_settings
from engine.spec.optimizers import OPTIMIZER_WORDS
from engine.spec.own_code import CODE_PATTERN

TINY = Path(__file__).parents[1] / "resources" / "tiny.yaml"
ARM = "arms.distilled.distill"


def load(**changes: Any) -> Any:
    overrides = [f"{path}={value}" for path, value in changes.items()]
    return load_spec(TINY, overrides)


def distilled(**changes: Any) -> Distill:
    return spec_distill(load(**changes), "distilled")


def spec_distill(spec: Spec, arm: str) -> Distill:
    cells = {cell.arm: cell for cell in expand_cells(spec)}
    return cells[arm].settings.distill


def test_a_temperature_is_a_number_a_schedule_or_matched() -> None:
    assert distilled(**{f"{ARM}.temperature": "3"}).temperature == 3.0
    schedule = distilled(**{f"{ARM}.temperature": "{from: 8, to: 1.0, schedule: cosine, by: epoch}"}).temperature
    assert schedule == TemperatureSchedule.model_validate({"from": 8.0, "to": 1.0, "schedule": "cosine", "by": "epoch"})
    reference = "{arch: timm/vit_tiny_patch16_224, train: {epochs: 1, warmup_epochs: 0}}"
    matched = distilled(**{f"{ARM}.temperature": f"{{match: entropy, reference: {reference}}}"}).temperature
    assert isinstance(matched, EntropyMatch)
    assert matched.at == 1.0


def test_what_is_written_is_what_is_hashed_and_read_again() -> None:
    words = Distill.model_validate({"temperature": {"from": 8.0, "to": 1.0}})
    counted = counted_settings(words)
    assert counted["temperature"] == {"from": 8.0, "to": 1.0, "schedule": "linear", "by": "step"}
    assert Distill.model_validate(counted) == words


@pytest.mark.parametrize(
    ("temperature", "said"),
    [
        ("hot", "'hot' is not a number"),
        ("0", "0 is not above 0"),
        ("{from: 8}", "'to' is missing"),
        ("{frm: 8, to: 1}", "'from'"),
        ("{from: 8, to: 1, schedule: steep}", "cosine"),
        ("{match: accuracy, reference: {arch: timm/vit_tiny_patch16_224}}", "entropy"),
    ],
)
def test_a_wrong_temperature_is_refused_in_words(temperature: str, said: str) -> None:
    with pytest.raises(SpecError) as caught:
        load(**{f"{ARM}.temperature": temperature})
    assert said in str(caught.value)
    assert "distill.temperature" in str(caught.value)
    told = " ".join(f"{problem.path} {problem.what} {problem.fix}" for problem in caught.value.problems)
    assert not any(word in told for word in ("number.", "schedule.", "matched", "Traceback"))


def test_mixed_images_need_a_linear_teacher_or_one_that_looks_at_them() -> None:
    with pytest.raises(SpecError, match=r"mix_targets: linear, teacher\.targets: online"):
        load(**{"data.augment.mixup": "0.8"})
    load(**{"data.augment.mixup": "0.8", "data.augment.mix_targets": "linear"})
    load(**{"data.augment.mixup": "0.8", "arms.distilled.teacher.targets": "online"})


def test_every_job_plays_a_role_in_a_run_that_needs_it(tmp_path: Path) -> None:
    """A job that no run names is never scheduled: the teacher of a reference is one that is easily forgotten."""
    reference = "{arch: timm/vit_tiny_patch16_224, train: {epochs: 1, warmup_epochs: 0}}"
    words = {f"{ARM}.temperature": f"{{match: entropy, reference: {reference}}}"}
    plan = make_plan(load(**words), open_home(tmp_path / "home", create=True))
    assert {job.key for job in plan.jobs} == {key for run in plan.runs for key in run.jobs.values()}
    roles = {role for run in plan.runs for role in run.jobs}
    assert {"reference", "reference_teacher", "targets", "teacher"} <= roles


# What is a loss's own -------------------------------------------------------------------------------------------------

OWN_WORDS: dict[str, tuple[tuple[float, float], float, dict[str, float | None]]] = {
    "ce": ((0.0, 1.0), 1.0, {}),
    "soft_ce": ((1.0, 0.0), 1.0, {}),  # Wu et al. 2022
    "hinton": ((0.9, 0.1), 2.0, {}),
    "lskd": ((9.0, 0.1), 2.0, {}),  # Sun et al. 2024, arXiv 2403.01427
    "dist": ((1.0, 1.0), 1.0, {"beta": 1.0, "gamma": 1.0}),  # Huang et al. 2022, arXiv 2205.10536
    "dkd": ((1.0, 1.0), 1.0, {"alpha": 1.0, "beta": 0.5}),  # Zhao et al. 2022, arXiv 2203.08679, ImageNet
    "nkd": ((1.0, 1.0), 1.0, {"gamma": 1.5}),  # Yang et al. 2023, arXiv 2303.13005
    "ats": ((0.5, 0.5), 4.0, {"wrong_temperature": None}),  # Li et al. 2022, arXiv 2210.04427
    "ofa": ((1.0, 1.0), 1.0, {"gamma": 1.0}),  # Hao et al. 2023, arXiv 2310.19444, their code
    "skd": ((0.9, 0.1), 4.0, {"direction": 1.0, "tikhonov": 0.1}),  # Jeong et al., CVPR 2026, their code
    "abkd": ((2.0, 1.0), 4.0, {"alpha": 0.8, "beta": 0.3}),  # Wang et al. 2025, arXiv 2505.04560, CIFAR-100
}


@pytest.mark.parametrize("loss", LOSS_WORDS)
def test_what_is_left_out_is_the_losses_own(loss: str) -> None:
    """They enter ids by value: another default is another experiment, and never a slip."""
    words = Distill(loss=loss)
    assert (words.weights, words.temperature, words.options) == OWN_WORDS[loss]
    assert counted_settings(words)["options"] == OWN_WORDS[loss][2]
    assert words.model_dump(exclude_unset=True) == {"loss": loss}


def test_options_are_filled_up_and_null_is_their_own() -> None:
    assert Distill(loss="dkd", options={"beta": 8}).options == {"alpha": 1.0, "beta": 8.0}
    assert Distill(loss="dkd", options={"beta": None}).options == {"alpha": 1.0, "beta": 0.5}
    left = Distill.model_validate({"loss": "dkd", "options": None, "temperature": None})
    assert left == Distill(loss="dkd")
    assert left.model_dump(exclude_unset=True) == {"loss": "dkd"}


ARMS = """
name: arms
data: {source: digits}
student: {arch: tiny_vit_5m}
teacher: {arch: tiny_vit_5m, train: {}}
distill: {loss: dkd, options: {beta: 2.0}, temperature: 4.0}
arms:
  same: {distill.options.alpha: 3.0}
  other: {distill.loss: nkd}
  nested: {extends: other, distill: {loss: dist, options: {gamma: 2.0}, temperature: null}}
"""


def test_an_arm_of_another_loss_has_that_ones_words(tmp_path: Path) -> None:
    """Options are not inherited, a temperature that is written down is, until null makes it the loss's own."""
    file = tmp_path / "arms.yaml"
    file.write_text(ARMS)
    spec = load_spec(file)
    found = {arm: spec_distill(spec, arm) for arm in spec.arms}
    assert found == {
        "same": Distill(loss="dkd", options={"alpha": 3.0, "beta": 2.0}, temperature=4.0),
        "other": Distill(loss="nkd", temperature=4.0),
        "nested": Distill(loss="dist", options={"gamma": 2.0}),
    }
    assert found["nested"].temperature == 1.0


@pytest.mark.parametrize("word", ["options.beta=5", "temperature=5"])
def test_a_word_set_from_outside_wins_over_the_arms(word: str, tmp_path: Path) -> None:
    file = tmp_path / "arms.yaml"
    file.write_text(ARMS.split("  other")[0])
    words = spec_distill(load_spec(file, [f"distill.{word}"]), "same")
    assert 5.0 in (words.temperature, words.options["beta"])
    assert words.options["alpha"] == 3.0


def test_an_option_is_refused_at_its_line(tmp_path: Path) -> None:
    file = tmp_path / "wrong.yaml"
    head = "name: wrong\ndata: {source: digits}\nstudent: {arch: tiny_vit_5m}\ndistill:\n  loss: dkd\n  options:\n"
    file.write_text(head + "    alpha: 1.0\n    betta: 2.0\n")
    with pytest.raises(SpecError) as caught:
        load_spec(file)
    assert f"{file}:8:" in str(caught.value)
    assert "distill.options.betta: loss dkd has no option 'betta' (its own: alpha, beta)" in str(caught.value)
    assert "fix: did you mean 'beta'?" in str(caught.value)


def words_of(told: dict[str, Any]) -> list[str]:
    """Return the words of a field that may name somebody's own code, too."""
    words, code = told["anyOf"]
    assert code["pattern"] == CODE_PATTERN
    listed: list[str] = words["enum"]
    return listed


def test_the_schema_lists_the_words_of_the_registries() -> None:
    schema = Spec.model_json_schema()["$defs"]
    assert words_of(schema["Distill"]["properties"]["loss"]) == list(LOSS_WORDS)
    assert words_of(schema["Train"]["properties"]["optimizer"]) == list(OPTIMIZER_WORDS)
    assert words_of(schema["Prune"]["properties"]["criterion"]) == ["taylor", "l1", "l2", "fpgm", "random"]
    assert words_of(schema["Data"]["properties"]["source"]) == ["folder", "digits"]
    words = schema["LongformerAttention"]["properties"]
    assert words["pattern"]["enum"] == ["slide", "block", "row"]
    assert words["select"]["enum"] == ["grid", "previous", "norm", "learned", "pooled", "none"]
