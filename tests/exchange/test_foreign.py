"""Tags that stand among settings elsewhere come back as tags."""

from __future__ import annotations

from engine.exchange.foreign import marked_tags, unmarked_tags


def test_tags_among_settings_are_told_apart() -> None:
    tags = {"xp.arm": "a", "team": "ours", "lr": "fast"}
    marked = marked_tags(tags)
    assert not {"team", "lr"} & marked.keys()
    assert unmarked_tags({**marked, "lr": 0.1}) == tags
