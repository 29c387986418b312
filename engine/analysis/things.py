"""What counts as one thing: takes the settings of two runs, gives what differs between them, thing by thing.

A study changes one thing. Some settings are parts of one (dims and depths of an architecture), and some come with
another: distillation with a teacher, windows with a TinyViT, weights and temperature with the loss that has them as
its own. All else that differs is a thing of its own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.analysis.held import UNCLASSIFIED, Families, Family, Rule, places_of, rule_of
from engine.analysis.sentences import say
from engine.spec.architectures import is_tiny_vit
from engine.spec.distill import LOSS_WORDS, loss_words
from engine.spec.dotted import flatten_settings
from engine.spec.own_code import names_code

Settings = Mapping[str, Any]
EPOCHS = "epochs in all"
AT_ONCE = "factors at once"
WIDEST = 40
LONGEST_NUMBER = 8

# The longest prefix that fits names the thing; a path without one is a thing of its own name.
THINGS = {
    "student": "student",
    "student.attention": "attention",
    "student.windows": "windows",
    "student.padding": "padding",
    "student.drop_path": "drop path",
    "student.weights": "first weights",
    "teacher": "teacher",
    "teacher.weights": "teacher weights",
    "teacher.train": "teacher training",
    "teacher.head": "teacher head",
    "teacher.calibrate": "teacher calibration",
    "teacher.logit_scale": "teacher scale",
    "teacher.assistants": "assistants",
    "teacher.targets": "teacher targets",
    "teacher.seed": "teacher seed",
    "teacher.image_size": "teacher input",
    "teacher.crop_share": "teacher input",
    "teacher.interpolation": "teacher input",
    "teacher.mean": "teacher input",
    "teacher.std": "teacher input",
    "teacher.classes": "teacher input",
    "distill.loss": "distillation loss",
    "distill.temperature": "distillation temperature",
    "distill.weight": "distillation weights",
    "distill.label_weight": "distillation weights",
    "distill.options": "distillation options",
    "distill.until": "distillation end",
    "distill.features": "followed layers",
    "prune": "pruning",
    "prune.recover_epochs": "prune.recover_epochs",
    "quantize": "quantisation",
}
TAUGHT = tuple(dict.fromkeys(name for path, name in THINGS.items() if path.startswith(("teacher", "distill"))))
# Where one of these differs, the thing is another one as a whole; else several settings of it differ by themselves.
TINY_VIT_ONLY = ("windows", "attention", "padding")
HEADS = {"student": "student.arch", "attention": "student.attention.kind", "pruning": "prune.ratio",
         "quantisation": "quantize.backend",
         "teacher": "teacher.arch", "teacher training": "teacher.train",
         "distillation temperature": "distill.temperature"}  # fmt: skip


@dataclass(frozen=True)
class Mismatch:
    """One thing that two runs do not have in common: a setting, the test images, the code or the device.

    `other_images`: what is judged on images is then judged on other ones.
    """

    what: str
    first: Any
    second: Any
    other_images: bool = field(default=False, compare=False)

    def __str__(self) -> str:
        if self.what.endswith(AT_ONCE):
            return say("at_once", what=self.what, first=self.first, second=self.second)
        return say("is_against", what=self.what, first=show_value(self.first), second=show_value(self.second))


@dataclass(frozen=True)
class Thing:
    """One thing that differs, the settings in which it does, and the things that came with it."""

    name: str
    differing: tuple[Mismatch, ...]
    brought: tuple[Mismatch, ...] = ()

    @property
    def is_named(self) -> bool:
        """Whether it is a factor that has a name, and not one setting."""
        return self.name in THINGS.values() and "." not in self.name

    @property
    def footnotes(self) -> Iterator[str]:
        """Yield what a reader should know where this is all that differs."""
        if self.brought:
            yield say("brought", name=self.name, what="; ".join(map(str, self.brought)))
        head = HEADS.get(self.name)
        if head and len(self.differing) > 1 and head not in [one.what for one in self.differing]:
            yield say("more_than_one", name=self.name, what="; ".join(map(str, self.differing)))


@dataclass(frozen=True)
class Bond:
    """Where `leader` differs and `holds`, the `followers` come with it; `is_told`: a reader should hear of it."""

    leader: str
    followers: tuple[str, ...]
    holds: Callable[[Settings, Settings], bool]
    is_told: bool = False


def list_things(first: Settings, second: Settings, family: Family) -> list[Thing]:
    """Return what differs in what decides `family`, as few things as it is."""
    things: dict[str, list[Mismatch]] = {}
    for one in list_mismatches(first, second, family):
        things.setdefault(factor_of(one.what), []).append(one)
    brought: dict[str, list[Mismatch]] = {}
    for bond in BONDS:
        if bond.leader in things and bond.holds(first, second):
            _follow(bond, things, brought)
    return [Thing(name, tuple(held), tuple(brought.get(name, ()))) for name, held in things.items()]


def _follow(bond: Bond, things: dict[str, list[Mismatch]], brought: dict[str, list[Mismatch]]) -> None:
    for name in bond.followers:
        if name != bond.leader:
            (brought.setdefault(bond.leader, []) if bond.is_told else things[bond.leader]).extend(things.pop(name, []))


def list_mismatches(first: Settings, second: Settings, family: Family) -> list[Mismatch]:
    """Return the settings that differ and that decide `family`."""
    return _differing(first, second, family, lambda rule: rule.decides)


def list_noted(first: Settings, second: Settings, family: Family) -> list[Mismatch]:
    """Return the settings that differ and are worth a footnote to `family`; a teacher that is new brings none."""
    found = _differing(first, second, family, lambda rule: rule.noted - rule.decides)
    return [one for one in found if not (one.what.startswith("teacher.") and None in (one.first, one.second))]


def _differing(first: Settings, second: Settings, family: Family, reach: Callable[[Rule], Families]) -> list[Mismatch]:
    one, other = _effective(first, second), _effective(second, first)
    found = [Mismatch(path, one.get(path), other.get(path)) for path in sorted({*one, *other})]
    different = [each for each in found if same_form(each.first) != same_form(each.second) and not _is_older(each)]
    return [each for each in different if family in reach(rule_at(each.what, each.first, each.second))]


def _is_older(one: Mismatch) -> bool:
    """Whether one of two records was written before there was this word: it is as the word's default is."""
    if (one.first is None) == (one.second is None):
        return False
    value = one.second if one.first is None else one.first
    return any(place.is_later and same_form(place.info.default) == same_form(value) for place in places_of(one.what))


def rule_at(path: str, *values: Any) -> Rule:
    """Return what a setting decides; of a list of parts, as of assistants, UNCLASSIFIED where one word of a part is."""
    inner = {f"{path}.{word}" for value in values for word in _words_in(value)}
    if any(rule_of(one) == UNCLASSIFIED for one in inner):
        return UNCLASSIFIED
    return rule_of("train.epochs" if path == EPOCHS else path)


def _words_in(value: Any) -> Iterator[str]:
    for at, part in enumerate(value if isinstance(value, list) else ()):
        if isinstance(part, Mapping):
            yield from (f"{at}.{word}" for word in flatten_settings(part))


def factor_of(path: str) -> str:
    """Return the thing that a setting is part of; a setting that is part of none is one of its own."""
    fitting = [prefix for prefix in THINGS if path == prefix or path.startswith(f"{prefix}.")]
    return THINGS[max(fitting, key=len)] if fitting else path


# What a run's settings come to ----------------------------------------------------------------------------------------


def _effective(settings: Settings, other: Settings) -> dict[str, Any]:
    """Return what the settings come to beside those of another run, epochs in all where one alone is pruned."""
    kept = without_idle(settings)
    if is_pruned(settings) != is_pruned(other):
        kept.pop("train.epochs", None)
        kept.pop("prune.recover_epochs", None)
        kept[EPOCHS] = total_epochs(settings)
    return kept


def without_idle(settings: Settings) -> dict[str, Any]:
    """Return what the settings come to: without words that do nothing in this run."""
    kept = dict(settings)
    if not is_taught(settings):
        kept = {path: value for path, value in kept.items() if not path.startswith(("teacher.", "distill."))}
    elif (own := LOSS_WORDS.get(str(settings.get("distill.loss")))) is not None:
        kept = {"distill.weight": own.weights[0], "distill.label_weight": own.weights[1], **kept}
    if not is_pruned(settings):
        kept = {path: value for path, value in kept.items() if not path.startswith("prune.")}
    return kept


def total_epochs(settings: Settings) -> int:
    """Return the epochs that a run's network is trained for, those after pruning included."""
    recovery = settings.get("prune.recover_epochs", 0) if is_pruned(settings) else 0
    return int(settings.get("train.epochs", 0)) + int(recovery)


def is_pruned(settings: Settings) -> bool:
    return bool(settings.get("prune.ratio"))


def is_taught(settings: Settings) -> bool:
    has_teacher = any(path.startswith("teacher.") for path in settings)
    hears = settings.get("distill.loss") != "ce" or bool(settings.get("distill.features"))
    return has_teacher and hears


def same_form(value: Any) -> str:
    """1 and 1.0 are one setting; a list is compared whole."""
    return json.dumps(int(value) if isinstance(value, float) and value.is_integer() else value, sort_keys=True)


def value_text(value: Any) -> str:
    """Return a value as JSON has it, a long number, as searches draw them, in six digits."""
    text = json.dumps(value)
    return f"{value:.6g}" if isinstance(value, float) and len(text) > LONGEST_NUMBER else text


def show_value(value: Any) -> str:
    text = "not set" if value is None else value if isinstance(value, str) else value_text(value)
    return text if len(text) <= WIDEST else text[: WIDEST - 1] + "…"


# What comes with what -------------------------------------------------------------------------------------------------


def _one_untaught(first: Settings, second: Settings) -> bool:
    return is_taught(first) != is_taught(second)


def is_foreign(settings: Settings) -> bool:
    """Whether the student is no TinyViT: windows and a choice of attention are TinyViT's."""
    return not is_tiny_vit(str(settings.get("student.arch", "tiny_vit")))


def _one_foreign(first: Settings, second: Settings) -> bool:
    return any("student.arch" not in one or is_foreign(one) for one in (first, second))


def _one_of_a_run(first: Settings, second: Settings) -> bool:
    return any("teacher.run" in one for one in (first, second))


def _always(_first: Settings, _second: Settings) -> bool:
    return True


def _other_files(first: Settings, second: Settings) -> bool:
    """Whether both teachers come as files: each network has its own."""
    return all(str(one.get("teacher.weights", "")).endswith(".safetensors") for one in (first, second))


def _one_untrained(first: Settings, second: Settings) -> bool:
    """Whether one teacher alone is trained here: a recipe comes with that."""
    trained = [any(path.startswith("teacher.train.") for path in one) for one in (first, second)]
    return trained[0] != trained[1]


def _own_weights(first: Settings, second: Settings) -> bool:
    return all(
        tuple(one.get(f"distill.{name}", own[at]) for at, name in enumerate(("weight", "label_weight"))) == own
        for one in (first, second)
        if (own := loss_words(str(one["distill.loss"])).weights)
    )


def _own_temperature(first: Settings, second: Settings) -> bool:
    return all(
        one.get("distill.temperature", own) == own
        for one in (first, second)
        if (own := loss_words(str(one["distill.loss"])).temperature)
    )


def _own_options(first: Settings, second: Settings) -> bool:
    return all(
        one.get(f"distill.options.{name}", value) == value
        for one in (first, second)
        for name, value in loss_words(str(one["distill.loss"])).options.items()
    )


def _is_known(loss: str) -> bool:
    return loss in LOSS_WORDS or names_code(loss)


def _both_known(rule: Callable[[Settings, Settings], bool]) -> Callable[[Settings, Settings], bool]:
    """A loss of another version of xp has no weights that anybody here knows."""
    return lambda *pair: all(_is_known(str(one.get("distill.loss"))) for one in pair) and rule(*pair)


BONDS = (
    Bond("teacher", TAUGHT, _one_untaught),
    Bond("student", TINY_VIT_ONLY, _one_foreign),
    Bond("teacher", ("teacher weights", "teacher training", "teacher head", "teacher seed"), _one_of_a_run, True),
    Bond("teacher", ("teacher weights",), _other_files),
    Bond("teacher", ("teacher input",), _always, True),
    Bond("teacher weights", ("teacher input",), _always, True),
    Bond("teacher weights", ("teacher training",), _one_untrained),
    Bond("teacher head", ("teacher training",), _one_untrained),
    Bond("distillation loss", ("distillation weights",), _both_known(_own_weights), True),
    Bond("distillation loss", ("distillation temperature",), _both_known(_own_temperature), True),
    Bond("distillation loss", ("distillation options",), _both_known(_own_options)),
)
