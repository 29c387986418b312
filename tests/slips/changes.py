"""One slip of the hand: takes a good text and a seed, gives the text with one thing wrong, and the lines to be named.

A slip may turn out legal (another number of epochs): that is for whoever asks to see.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from engine.errors import SpecError
from tests.slips.spots import Spot, find_spots, line_of

USER_KEYS = ("arms", "matrix", "options")
"""Below these a person chooses the keys, or another table does."""
NUMBER = re.compile(r"-?\d[\d_]*(\.\d+)?([eE][-+]?\d+)?")


@dataclass(frozen=True)
class Slip:
    """A text (bytes where it is no UTF-8) with one slip; `lines` are those that may be named, from 1."""

    kind: str
    raw: bytes
    lines: frozenset[int]
    about: str


class Text:
    """A good text with its spots."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.spots = find_spots(text)

    def part(self, ends: tuple[int, int]) -> str:
        return self.text[ends[0] : ends[1]]

    def put(self, ends: tuple[int, int], new: str) -> str:
        return self.text[: ends[0]] + new + self.text[ends[1] :]

    def line(self, at: int) -> int:
        return line_of(self.text, at)

    def values(self, *tags: str) -> list[Spot]:
        return [spot for spot in self.spots if spot.kind == "scalar" and spot.tag in tags]

    def words(self) -> list[Spot]:
        """The keys that are words of a spec."""
        return [spot for spot in self.spots if spot.key and not _is_users(spot.path)]


def _is_users(path: tuple[str | int, ...]) -> bool:
    return (len(path) > 1 and path[-2] in USER_KEYS) and not (path[-2] == "arms" and "." in str(path[-1]))


Change = Callable[[random.Random, Text], tuple[str | bytes, set[int], str] | None]


def slips(goods: dict[str, str], count: int, seed: int) -> Iterator[tuple[str, Slip]]:
    """Yield `count` slips with the name of the good text each is of: the kinds in turn, the texts by chance."""
    dice = random.Random(seed)
    texts = {name: Text(text) for name, text in goods.items()}
    made, turn = 0, 0
    while made < count:
        kind = list(CHANGES)[turn % len(CHANGES)]
        turn += 1
        name = dice.choice(list(texts))
        try:
            found = CHANGES[kind](dice, texts[name])
        except IndexError:  # this text has nothing of the kind
            continue
        if found is None:
            continue
        text, lines, about = found
        raw = text if isinstance(text, bytes) else text.encode("utf-8")
        if raw != texts[name].text.encode():
            yield name, Slip(kind, raw, frozenset(lines), about)
            made += 1


def misspell(dice: random.Random, word: str) -> str:
    """One letter dropped, doubled, changed, or two swapped."""
    at = dice.randrange(1, len(word) - 1)
    ways = (
        word[:at] + word[at + 1 :],
        word[:at] + word[at] + word[at:],
        word[:at] + dice.choice("aeinrst") + word[at + 1 :],
        word[:at] + word[at + 1] + word[at] + word[at + 2 :],
    )
    return dice.choice(ways)


def misspell_key(dice: random.Random, of: Text) -> tuple[str, set[int], str] | None:
    spots = [spot for spot in of.words() if spot.key and len(of.part(spot.key)) > 3]
    spot = dice.choice(spots)
    assert spot.key
    word = misspell(dice, of.part(spot.key))
    # a base's word that went may be missed where it belongs
    lines = (
        {of.line(spot.start), *_parents(of, spot)} if spot.name in ("source", "arch", "name") else {of.line(spot.start)}
    )
    return of.put(spot.key, word), lines, f"{spot.name} -> {word}"


def misspell_value(dice: random.Random, of: Text) -> tuple[str, set[int], str] | None:
    spots = [spot for spot in of.values("str") if re.fullmatch(r"[a-z][\w/.]{3,}", of.part(spot.value))]
    spots = [spot for spot in spots if spot.name not in ("name", "title", "text", "root", "id")]
    spot = dice.choice(spots)
    word = misspell(dice, of.part(spot.value))
    return of.put(spot.value, word), {of.line(spot.value[0])}, f"{of.part(spot.value)} -> {word}"


def drop(dice: random.Random, of: Text) -> tuple[str, set[int], str] | None:
    """A key with all that is below it; where it held together with others, they or the mapping may be named."""
    spot = dice.choice([spot for spot in of.spots if spot.key and not spot.is_flow])
    begin = of.text.rfind("\n", 0, spot.start) + 1
    end = of.text.find("\n", max(spot.value[1] - 1, spot.start)) + 1 or len(of.text)
    if of.text[begin : spot.start].strip():  # `- id: ...`
        return None
    text = of.text[:begin] + of.text[end:]
    try:
        find_spots(text)
    except SpecError:  # no key with what is below it
        return None
    line = line_of(text, begin)
    lines = {line, *_parents(of, spot), *_naming(text, spot.name), *_users_of(text, spot)}
    return text, lines, f"without {'.'.join(map(str, spot.path))}"


def _parents(of: Text, spot: Spot) -> set[int]:
    """The lines of what it is in; of what stands at the top, the first, or the first that says anything."""
    if len(spot.path) == 1:
        return {1, next(at for at, line in enumerate(of.text.splitlines(), 1) if line and not line.startswith("#"))}
    return {of.line(one.start) for one in of.spots if one.path == spot.path[:-1]}


def _naming(text: str, name: str) -> set[int]:
    return {at for at, line in enumerate(text.splitlines(), 1) if re.search(rf"\b{re.escape(name)}\b", line)}


def _users_of(text: str, spot: Spot) -> set[int]:
    """Words beside a dropped one that make no sense without it: any of the same section."""
    if len(spot.path) == 1 and spot.name not in ("teacher", "arms", "distill", "data", "student"):
        return set()
    top = str(spot.path[0])
    needs = {"teacher": ("distill", "teacher"), "arms": ("baseline", "arm", "against", "claims")}.get(top, (top,))
    found: set[int] = set()
    for one in find_spots(text):
        if {str(part).split(".")[0] for part in one.path} & set(needs) or one.path[0] == "arms":
            found.add(line_of(text, one.start))
    return found


def retype(dice: random.Random, of: Text) -> tuple[str, set[int], str] | None:
    spot = dice.choice([spot for spot in of.spots if not _is_users(spot.path)])
    old = of.part(spot.value)
    if spot.kind == "scalar":
        new = dice.choice(("[" + old + "]", "{value: " + old + "}", "yes", "many", "2024-01-01", "true", "1.5", "null"))
    elif spot.is_flow or (spot.kind == "list" and old.startswith("[")):
        new = dice.choice(("3", "yes", "some words", "true"))
    else:
        return None
    return of.put(spot.value, new), {of.line(spot.start)}, f"{'.'.join(map(str, spot.path))}: {new}"


def nest(dice: random.Random, of: Text) -> tuple[str, set[int], str] | None:
    """A key at the wrong depth: at the top instead of in its section, dotted at the top, or in another section."""
    spots = [spot for spot in of.values("int", "float") if len(spot.path) == 2 and spot.path[0] in SECTIONS]
    spot = dice.choice(spots)
    value, words = of.part(spot.value), (spot.name, ".".join(map(str, spot.path)))
    line = f"{dice.choice(words)}: {value}\n"
    text = of.text if of.text.endswith("\n") else of.text + "\n"
    return text + line, {text.count("\n") + 1}, f"at the top: {line.strip()}"


def shift(dice: random.Random, of: Text) -> tuple[str, set[int], str] | None:
    """A line one space to the left or right of its place; the line or its neighbours may be named."""
    lines = of.text.splitlines(keepends=True)
    at = dice.choice([at for at, line in enumerate(lines) if re.match(r" +\w", line)])
    lines[at] = lines[at][1:] if dice.random() < 0.5 else " " + lines[at]
    return "".join(lines), {at, at + 1, at + 2}, f"shifted: {lines[at].rstrip()}"


def double(dice: random.Random, of: Text) -> tuple[str, set[int], str] | None:
    """A line written twice."""
    lines = of.text.splitlines(keepends=True)
    spots = [spot for spot in of.spots if spot.key and not spot.is_flow and spot.kind == "scalar"]
    spot = dice.choice(spots)
    at = of.line(spot.start) - 1
    if not re.match(r" *[\w.]+:", lines[at]):
        return None
    return "".join([*lines[: at + 1], lines[at], *lines[at + 1 :]]), {at + 2, at + 1}, f"twice: {lines[at].strip()}"


def tag(dice: random.Random, of: Text) -> tuple[str, set[int], str] | None:
    spot = dice.choice(of.spots)
    if spot.kind != "scalar" and not spot.is_flow:
        return None
    mark = dice.choice(("!!python/object:os.system ", "!foo ", "!!set ", "!!binary ", "!env "))
    return of.put((spot.value[0],) * 2, mark), {of.line(spot.value[0])}, f"{mark}{of.part(spot.value)[:20]}"


def encode(dice: random.Random, of: Text) -> tuple[str | bytes, set[int], str] | None:
    """Signs that no editor of code writes: another encoding, typographic quotes, a space that does not break, a tab."""
    spot = dice.choice(of.values("str"))
    at, line = spot.value[0], of.line(spot.value[0])
    way = dice.choice(("latin-1", "utf-16", "quotes", "no-break", "nul", "zero width", "tab"))
    if way == "latin-1":
        end = of.text.find("\n", at)
        return of.put((end, end), "  # caf\xe9").encode("latin-1", "replace"), {line}, way
    if way == "utf-16":
        return of.text.encode("utf-16"), {1}, way
    if way == "quotes":
        return of.put(spot.value, f"\u201c{of.part(spot.value)}\u201d"), {line}, way
    if way in ("nul", "zero width"):
        return of.put((at + 1, at + 1), {"nul": "\0", "zero width": "\u200b"}[way]), {line}, way
    begin = of.text.rfind("\n", 0, at) + 1
    indent = len(of.text[begin:]) - len(of.text[begin:].lstrip(" "))
    if not indent:
        return None
    new = {"no-break": "\xa0" * indent, "tab": "\t"}[way]
    # A no-break space ends no indentation: the line joins the one before it.
    return of.put((begin, begin + indent), new), {line, line - 1}, way


def unit(dice: random.Random, of: Text) -> tuple[str, set[int], str] | None:
    """A number with its unit, in per cent, with a comma, or with thousands apart."""
    spot = dice.choice(of.values("int", "float"))
    old = of.part(spot.value)
    percent = f"{float(old) * 100:g}" if 0 < float(old) < 1 else old
    comma = old.replace(".", ",") if "." in old and not spot.is_flow else f"{old} px"
    new = dice.choice((f"{percent}%", percent, f"{old} epochs", f"{old}px", comma, f"~{old}"))
    return of.put(spot.value, new), {of.line(spot.value[0])}, f"{'.'.join(map(str, spot.path))}: {new}"


def quote(dice: random.Random, of: Text) -> tuple[str, set[int], str] | None:
    """A number in quotes, a list in quotes, a quote that does not close."""
    spot = dice.choice([spot for spot in of.spots if spot.kind != "mapping"])
    old, mark = of.part(spot.value), dice.choice("'\"")
    if "\n" in old or old[:1] in "'\"":
        return None
    new = dice.choice((f"{mark}{old}{mark}",) * 3 + (f"{mark}{old}",))
    return of.put(spot.value, new), {of.line(spot.value[0])}, f"{'.'.join(map(str, spot.path))}: {new}"


def punctuate(dice: random.Random, of: Text) -> tuple[str, set[int], str] | None:
    """No space after a colon, = for a colon, an open bracket, a comma too few or too many."""
    spot = dice.choice([spot for spot in of.spots if spot.key])
    assert spot.key
    line, old = of.line(spot.start), of.part(spot.value)
    between = (spot.key[1], spot.value[0])
    ways = [
        ("no space", between, ":"),
        ("equals", between, "="),
        ("equals", between, " = "),
        ("no colon", between, " "),
    ]
    if old.endswith(("]", "}")):
        ways = [*ways, *[("open", (spot.value[1] - 1, spot.value[1]), "")] * 3]
    if old.startswith("[") and "," in old:
        comma = spot.value[0] + old.index(",")
        ways += [("no comma", (comma, comma + 1), ""), ("two commas", (comma, comma + 1), ",,")]
    if spot.kind == "scalar":
        ways.append(("a comma at the end", (spot.value[1], spot.value[1]), ","))
    if old.startswith("\n") or spot.value[0] > of.text.find("\n", spot.start) > 0:
        return None
    name, ends, new = dice.choice(ways)
    return of.put(ends, new), {line}, f"{name} at {'.'.join(map(str, spot.path))}"


def synonym(dice: random.Random, of: Text) -> tuple[str, set[int], str] | None:
    """A word of another tool that means the same."""
    found = [(spot, new) for spot in of.words() for new in KEY_SYNONYMS.get(spot.name, ())]
    values = [(spot, new) for spot in of.values("str") for new in VALUE_SYNONYMS.get(of.part(spot.value), ())]
    if dice.random() < 0.5 and values:
        spot, new = dice.choice(values)
        return of.put(spot.value, new), {of.line(spot.value[0])}, f"{of.part(spot.value)} -> {new}"
    spot, new = dice.choice(found)
    assert spot.key
    lines = {of.line(spot.start), *_parents(of, spot)}
    return of.put(spot.key, new), lines, f"{spot.name} -> {new}"


SECTIONS = ("data", "train", "prune", "explain", "measure")
KEY_SYNONYMS = {
    "lr": ("learning_rate", "learningrate", "base_lr"),
    "batch_size": ("batch", "bs", "batchsize"),
    "epochs": ("num_epochs", "n_epochs", "max_epochs"),
    "warmup_epochs": ("warmup",),
    "arch": ("model", "architecture", "network", "backbone"),
    "source": ("dataset",),
    "root": ("path", "data_dir", "folder"),
    "image_size": ("img_size", "resolution", "input_size"),
    "seeds": ("seed",),
    "ratio": ("sparsity", "amount", "rate"),
    "precision": ("dtype", "amp"),
    "optimizer": ("optim", "opt", "optimiser"),
    "schedule": ("scheduler", "lr_scheduler", "sched"),
    "temperature": ("tau", "T", "temp"),
    "weight": ("alpha",),
    "title": ("description",),
    "threads": ("num_threads",),
    "distill": ("distillation", "kd"),
    "student": ("model", "network"),
    "data": ("dataset",),
    "train": ("training",),
    "prune": ("pruning",),
    "arms": ("variants",),
    "claims": ("hypotheses",),
    "resources": ("hardware",),
    "windows": ("window_size", "window_sizes"),
    "heads": ("num_heads",),
    "dims": ("embed_dims",),
    "weight_decay": ("wd",),
    "drop_path": ("drop_path_rate", "stochastic_depth"),
}
VALUE_SYNONYMS = {
    "hinton": ("kd", "kl", "vanilla"),
    "adamw": ("AdamW", "Adam"),
    "sgd": ("SGD",),
    "bf16": ("bfloat16", "amp"),
    "fp32": ("float32", "float", "full"),
    "timm/resnet18": ("resnet18", "torchvision/resnet18"),
    "timm/resnet50": ("resnet50", "ResNet50"),
    "timm/convnextv2_atto": ("convnextv2_atto", "convnext_atto_v2"),
    "greater": ("higher", "better", "more", ">"),
    "less": ("lower", "smaller", "<"),
    "not_worse": ("noninferior", "equal"),
    "test_top1": ("accuracy", "test_acc", "top1"),
    "params": ("parameters", "num_params"),
    "structured": ("filter", "channel"),
    "l1": ("magnitude", "L1"),
    "longformer": ("sparse", "local"),
    "window": ("full", "dense"),
    "macs": ("flops",),
    "best_val": ("best",),
    "tiny_vit_5m": ("tinyvit_5m", "TinyViT-5M", "tiny_vit_5m_224"),
    "tiny_vit": ("tinyvit",),
    "folder": ("imagefolder", "directory"),
    "cosine": ("cos", "CosineAnnealingLR"),
    "slide": ("sliding", "sliding_window"),
    "pretrained": ("imagenet",),
}
CHANGES: dict[str, Change] = {
    "misspelt key": misspell_key,
    "misspelt value": misspell_value,
    "dropped": drop,
    "retyped": retype,
    "wrong depth": nest,
    "shifted": shift,
    "doubled": double,
    "tagged": tag,
    "encoded": encode,
    "unit": unit,
    "quoted": quote,
    "punctuation": punctuate,
    "synonym": synonym,
}
