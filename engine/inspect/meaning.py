"""What a word means: takes a field or value, a metric, relation or column, gives its sentence, unit and example."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import BaseModel

from engine.errors import XpError
from engine.spec.architectures import has_pretrained, known_networks
from engine.spec.lexicon import Term, all_terms
from engine.spec.paper import Paper, Sayings
from engine.spec.synonyms import SYNONYMS, meant_words
from engine.spec.written import write_value
from store.metrics import METRICS, Metric
from store.words import RELATIONS, column_words, metric_words

BETTER = {"higher": "more is better", "lower": "less is better", "neither": "neither more nor less is better"}
MOST_CHOICES = 24
MOST_NEAR = 6


@dataclass(frozen=True)
class Meaning:
    """A word with its sentence; `facts` are lines of a name and a text, `inside` the words below it."""

    word: str
    kind: str
    about: str
    facts: tuple[tuple[str, str], ...] = ()
    inside: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "facts": dict(self.facts)}


def explain_word(word: str) -> list[Meaning]:
    """Return what a word means: all fields that end in it or take it, the metric and the relation of that name.

    Raises XpError with the nearest words where there is none.
    """
    found = list(_meanings(word.strip().strip("`'\"").removesuffix(":").lower().replace("/", ".")))
    if not found:
        raise XpError(f"there is no word {word!r}", fix=_near_words(word))
    return found


def _meanings(word: str) -> Iterator[Meaning]:
    terms = all_terms()
    if word in terms:
        yield field_meaning(terms[word])
    elif "." not in word:
        ends = [path for path in _plain_paths() if path.rpartition(".")[2] == word]
        yield from (field_meaning(terms[path]) for path in ends)
    if word in METRICS:
        yield metric_meaning(METRICS[word])
    if word in RELATIONS:
        yield relation_meaning(word)
    yield from _value_meanings(word)
    relation, _, column = word.partition(".")
    if relation in RELATIONS and column:
        yield from _column_meanings(relation, column)


def _value_meanings(word: str) -> Iterator[Meaning]:
    """Yield what a word is as a value: of each field that has it as a choice, and as the name of a network."""
    terms = all_terms()
    again = tuple(f"{path}." for path in AGAIN)
    for path in _plain_paths():
        if word in _values_of(terms[path]) and not path.startswith(again):
            others = [write_value(one) for one in terms[path].facts.choices if one != word][:MOST_CHOICES]
            facts = (("write", f"{path}: {write_value(word)}"), *((("beside", ", ".join(others)),) if others else ()))
            yield Meaning(word, f"value of {path}", _words_of_value(word, terms[path].about), facts)
    arch = word.replace("timm.", "timm/", 1)
    if arch in known_networks():
        about = "A network that a student, a teacher or an assistant can be."
        weights = "pretrained ones are known" if has_pretrained(arch) else "no pretrained ones are known"
        yield Meaning(arch, "value of student.arch", about, (("write", f"student.arch: {arch}"), ("weights", weights)))


def _values_of(term: Term) -> list[str]:
    return [choice for choice in term.facts.choices if isinstance(choice, str)]


def _words_of_value(word: str, about: str) -> str:
    """Return what the sentence of a field says of one of its values, else all of it."""
    parts = re.split(r"(?<=[.;])\s+", about)
    own = [part for part in parts if re.search(rf"(?<![\w.]){re.escape(word)}(?=:| is |\))", part)]
    return " ".join(own) or about


def _column_meanings(relation: str, column: str) -> Iterator[Meaning]:
    try:
        about = column_words(relation, column)
    except KeyError:
        return
    unit = METRICS[column].unit if column in METRICS and relation.startswith("results") else ""
    facts = (("unit", unit),) if unit else ()
    yield Meaning(f"{relation}.{column}", "column", about, (*facts, ("example", RELATIONS[relation].example)))


def field_meaning(term: Term) -> Meaning:
    facts = term.facts
    lines = [("type", _type_words(term))]
    if facts.choices:
        shown = ", ".join(write_value(choice) for choice in facts.choices[:MOST_CHOICES])
        more = f", ... ({len(facts.choices)} in all)" if len(facts.choices) > MOST_CHOICES else ""
        lines.append(("choices", shown + more))
    lines += [("unit", facts.unit)] if facts.unit else []
    lines += [("range", facts.range)] if facts.range else []
    lines.append(("default", default_words(term)))
    if term.examples:
        lines.append(("example", f"{term.path.rpartition('.')[2]}: {write_value(term.examples[0])}"))
    if term.is_aside:
        lines.append(("counts", "says how and not what: no part of any id"))
    prefix = f"{term.path}."
    inside = [path for path in all_terms() if path.startswith(prefix) and "." not in path.removeprefix(prefix)]
    return Meaning(term.path, "field", term.about, tuple(lines), tuple(inside))


def _type_words(term: Term) -> str:
    facts = term.facts
    kinds = list(facts.kinds) or ["a choice"]
    if facts.choices and facts.kinds == ("a text",):
        kinds = ["a choice"]
    elif facts.choices and "a list" in facts.kinds:
        kinds = ["a list of choices"]
    return " or ".join([*kinds, *(["null"] if facts.is_null else [])])


def default_words(term: Term) -> str:
    """Return a default as a person would write it."""
    if term.default is ...:
        return "none: it must be given"
    if isinstance(term.default, BaseModel):
        return "its own words' defaults"
    if term.path.endswith(("distill.temperature", "distill.options")):
        return "the loss's own"
    return write_value(term.default)


def metric_meaning(metric: Metric) -> Meaning:
    """Return what a metric is, with a query for it."""
    device = (("compared", "on one device alone: another one gives another number"),) if metric.device_bound else ()
    example = f"select arm, {metric.name} from results"
    facts = (("unit", metric.unit), ("better", BETTER[metric.better]), *device, ("example", example))
    return Meaning(metric.name, "metric", metric_words(metric), facts)


def relation_meaning(name: str) -> Meaning:
    found = RELATIONS[name]
    inside = tuple(f"{name}.{column}" for column in found.columns)
    return Meaning(name, "relation", f"One row for each {found.row}.", (("example", found.example),), inside)


def _plain_paths() -> list[str]:
    """The fields without those that stand once more in a teacher's own training, an assistant or a reference."""
    again = ("teacher.train.", "teacher.assistants.", "distill.temperature.reference.")
    return [path for path in all_terms() if not path.startswith(again)]


def known_words() -> list[str]:
    columns = [f"{name}.{column}" for name, relation in RELATIONS.items() for column in relation.columns]
    return [*_plain_paths(), *METRICS, *RELATIONS, *columns]


def _near_words(word: str) -> str:
    known = known_words()
    values = {value: value for path in _plain_paths() for value in _values_of(all_terms()[path])}
    last = values | {path.rpartition(".")[2]: path for path in reversed(known)}
    bare = word.rpartition(".")[2]
    near = [last[name] for name in meant_words(bare, last)]
    near += [
        last[ours]
        for other in difflib.get_close_matches(bare.replace("_", ""), SYNONYMS, n=2, cutoff=0.8)
        for ours in SYNONYMS[other]
        if ours in last
    ]
    near += difflib.get_close_matches(word, known, n=3, cutoff=0.6)
    near += [last[name] for name in difflib.get_close_matches(bare, last, n=3, cutoff=0.6)]
    found = list(dict.fromkeys(near))[:MOST_NEAR]
    if found:
        return f"did you mean {' or '.join(map(repr, found))}?"
    kinds = "a field (train.lr), a value (hinton), a metric (test_top1) or a relation (results)"
    return f"ask for {kinds}; xp explain --all prints all but values"


def reference_page() -> str:
    """Return all words as one page of Markdown."""
    parts = [PAGE_HEAD, *_field_sections(), *_metric_lines(), *_relation_lines(), *_paper_lines()]
    return "\n".join(parts) + "\n"


def _field_sections() -> Iterator[str]:
    terms = all_terms()
    tops = [path for path in terms if "." not in path]
    yield from _table("A spec", [terms[path] for path in tops])
    for path, term in terms.items():
        if term.facts.models and path in _plain_paths():
            prefix = f"{path}."
            inner = [terms[one] for one in terms if one.startswith(prefix) and "." not in one.removeprefix(prefix)]
            if path in AGAIN:
                yield f"\n### `{path}`\n\n{term.about} {AGAIN[path]}"
            else:
                yield from _table(f"`{path}`", inner, term.about)


def _table(title: str, terms: list[Term], about: str = "") -> Iterator[str]:
    yield f"\n### {title}\n"
    if about:
        yield f"{about}\n"
    yield "| word | meaning | type | default | example |"
    yield "|---|---|---|---|---|"
    for term in terms:
        meaning = dict(field_meaning(term).facts)
        kind = ", ".join(
            filter(None, (meaning.get("choices") or meaning["type"], meaning.get("unit"), meaning.get("range")))
        )
        example = f"`{write_value(term.examples[0])}`" if term.examples else ""
        name = term.path.rpartition(".")[2]
        default = default_words(term)
        shown = default if " " in default and not default.startswith(("[", "{")) else f"`{default}`"
        about = term.about + (" *No part of any id.*" if term.is_aside else "")
        yield f"| `{name}` | {_cell(about)} | {_cell(kind)} | {_cell(shown)} | {_cell(example)} |"


def _metric_lines() -> Iterator[str]:
    yield "\n## Metrics\n\nColumns of `results`; claims, comparisons and `report.columns` name them so.\n"
    yield "| metric | meaning | unit | better |"
    yield "|---|---|---|---|"
    for metric in METRICS.values():
        yield f"| `{metric.name}` | {_cell(metric_words(metric))} | {metric.unit} | {metric.better} |"


def _relation_lines() -> Iterator[str]:
    yield "\n## Relations\n\nWhat `xp sql` reads."
    for name, relation in RELATIONS.items():
        yield f"\n### `{name}`\n\nOne row for each {relation.row}: `{relation.example}`\n"
        yield "| column | meaning |"
        yield "|---|---|"
        yield from (f"| `{column}` | {_cell(about)} |" for column, about in relation.columns.items())
        if name.startswith("results"):
            yield "| ... | every metric above |"


def _paper_lines() -> Iterator[str]:
    yield "\n## A paper\n\nA file with `experiments:` at its top lists specs; its sayings stand in files of their own."
    for title, root in (("A paper's file", Paper), ("A file of sayings", Sayings)):
        yield from _table(title, list(all_terms(root).values()))


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


AGAIN = {
    "teacher.train": "Its words are those of `train`.",
    "teacher.assistants": "Its words are those of `teacher` that make a network, and `weights` and `train`.",
    "teacher.attention": "Its words are those of `student.attention`.",
}
PAGE_HEAD = """\
# Reference

Every word of a spec, every metric, and every relation of the results. `xp explain WORD` says the same of one word;
`xp schema` prints it for editors. This page is made by `xp explain --all > docs/reference.md`.

## Words of a spec"""
