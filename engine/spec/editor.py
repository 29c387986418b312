"""The JSON Schema of a spec for editors: takes the models, gives it with what an editor shows beside a word.

An editor shows a description and nothing of units, ranges and defaults, so each description ends with them. Arms may
hold dotted paths, which are listed as the settings that they name.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from engine.spec.experiment import Settings, Spec
from engine.spec.lexicon import Term, all_terms


def spec_schema() -> dict[str, Any]:
    schema = Spec.model_json_schema()
    terms = {(term.model, term.path.rpartition(".")[2]): term for term in reversed(list(all_terms().values()))}
    models: dict[str, type[BaseModel]] = {term.model.__name__: term.model for term in terms.values() if term.model}
    for name, part in (("Spec", schema), *schema.get("$defs", {}).items()):
        model = models.get(name)
        for word, told in part.get("properties", {}).items():
            term = terms.get((model, word))
            if term is not None:
                told["description"] = editor_words(term)
    arms = schema["properties"]["arms"]
    arms["additionalProperties"] = {"type": ["object", "null"], "properties": _arm_properties()}
    schema["properties"]["matrix"]["properties"] = _matrix_properties()
    return schema


def editor_words(term: Term) -> str:
    """Return a description with what an editor does not show by itself."""
    facts = term.facts
    default = "" if term.default is ... or isinstance(term.default, BaseModel) else f"Default: {_show(term.default)}."
    unit = f"Unit: {facts.unit}." if facts.unit else ""
    span = f"Range: {facts.range}." if facts.range else ""
    return " ".join(filter(None, (term.about, unit, span, default)))


def _show(value: Any) -> str:
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _setting_terms() -> list[Term]:
    """The settings that an arm or a matrix may name by their dotted paths."""
    tops = set(Settings.model_fields)
    return [term for path, term in all_terms().items() if path.partition(".")[0] in tops and path.count(".") <= 2]


def _arm_properties() -> dict[str, Any]:
    own = {
        "extends": {"type": "string", "description": "The arm that this one builds on."},
        "controls": {
            "description": "Controls of a pruned arm, each an arm more: scratch, none_longer, random, or all."
        },
    }
    return {**own, **{term.path: {"description": editor_words(term)} for term in _setting_terms()}}


def _matrix_properties() -> dict[str, Any]:
    return {term.path: {"type": "array", "description": editor_words(term)} for term in _setting_terms()}
