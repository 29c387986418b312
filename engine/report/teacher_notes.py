"""What must stand beside a teacher's figures: takes figures by part, gives marks and footnotes.

`seen_share` of a part is the share of its images that a network of ImageNet was, or may have been, trained on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from engine.report import number_text
from engine.report.sentences import say

Figures = Mapping[str, float]
Agreement = Mapping[tuple[str, str, str, str], float]


def is_seen(figures: Figures) -> bool:
    """Whether a teacher was trained on images of a part."""
    return figures.get("seen_share", 0.0) > 0


def is_held_out(figures: Figures) -> bool:
    """Whether a teacher was examined on a part, and trained on none of its images as far as is known."""
    return "top1" in figures and not is_seen(figures)


def part_text(part: str, figures: Figures) -> str:
    """Return a part's name, with how much of it the teacher was trained on."""
    share = figures.get("seen_share", 0.0)
    return f"{part} ({number_text.percent(share)} its training images)" if share else part


def teacher_notes(label: str, parts: Mapping[str, Figures]) -> Iterator[str]:
    """Yield the footnotes of a teacher that is taken as its weights come."""
    whole, unseen = parts.get("all", {}), parts.get("unseen", {})
    if "head_top1" in unseen:
        error, images = number_text.percent(unseen["head_error"]), int(unseen["head_images"])
        right, known = (number_text.percent(unseen[name]) for name in ("head_top1", "known_top1"))
        yield say("known_accuracy", teacher=label, right=right, images=images, error=error, known=known)
    elif "seen_share" in whole:
        yield say("no_known_accuracy", teacher=label)
    own, size = whole.get("own_image_size"), whole.get("image_size")
    if own is not None and size is not None and own != size:
        yield say("other_size", teacher=label, size=size, own=own)
    if whole.get("enlarged_share"):
        share = number_text.percent(whole["enlarged_share"])
        yield say("enlarged", teacher=label, share=share)


def calibration_notes(agreement: Agreement) -> Iterator[str]:
    """Yield a footnote for each arm whose teacher's logits were divided by less than 1: that sharpens them."""
    for (arm, cell, _, name), value in agreement.items():
        if name == "calibration" and value < 1:
            yield say("sharpened", arm=arm, cell=cell, by=number_text.significant(value))
