"""Teachers: takes the accuracy of a network, refuses one that does not know enough to teach."""

from __future__ import annotations

import math

from engine.errors import JobError

# Guessing comes above three deviations once in 740 times.
CHANCE_DEVIATIONS = 3.0


def require_skill(top1: float, classes: int, images: int, part: str = "validation") -> None:
    """Raise JobError when a teacher's accuracy on `images` images of `part` could be that of guessing.

    Guessing is right in 1 / classes of the images; CHANCE_DEVIATIONS standard deviations above that are asked for.
    """
    chance = 1 / classes
    bound = chance + CHANCE_DEVIATIONS * math.sqrt(chance * (1 - chance) / images)
    # Of few images the bound may be above 1: all of them right is enough.
    if top1 <= min(bound, 1.0 - 0.5 / images):
        shown = f"{images} images" if part == "all" else f"{images} {part} images"
        what = f"the teacher is right on {top1:.1%} of {shown}: guessing gives {chance:.1%} and could come as far"
        fix = (
            "check the order of its classes (teacher.classes), how its pixels were normalised (teacher.mean, "
            "teacher.std), and its weights; or train it longer"
        )
        raise JobError(what, where="teacher", fix=fix)
