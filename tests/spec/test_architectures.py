"""The shipped list of networks against timm's own."""

from __future__ import annotations

import timm

from engine.spec.architectures import known_networks


def test_the_shipped_list_is_timms_own() -> None:
    timms = {*timm.list_models(), *timm.list_models(pretrained=True)}
    shipped = {name.removeprefix("timm/") for name in known_networks() if name.startswith("timm/")}
    assert shipped == timms
