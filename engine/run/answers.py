"""What a trained network says of a few images: takes network and images, leaves a file that students are compared by.

An untaught student has no teacher to be asked about; its answers are kept, and compared with what others heard.
"""

from __future__ import annotations

from torch import nn

from engine.core.distill.answers import ANSWERS_FILE, Answers, encode_answers, make_answers, sample_size
from engine.core.train.forward import Forward
from engine.home.files import write_atomic
from engine.inputs.splits import Rows
from engine.run.attempt import Attempt
from engine.run.inputs import Images
from engine.run.targets import spread_rows
from engine.run.teaching import Teaching, centre_logits

KEPT_PARTS = ("train", "test")


def write_answers(
    attempt: Attempt, teaching: Teaching | None, images: Images, network: nn.Module, forward: Forward
) -> None:
    """Keep the network's answers, and its teacher's, on the centre crops of an even sample of train and of test.

    The sample follows from the split and the number of classes alone: networks of one split are asked the same.
    """
    most = sample_size(len(images.pack.class_names))
    chosen = {part: spread_rows(images.split.part(part), most) for part in KEPT_PARTS}
    answers = {
        part: _ask(attempt, teaching, images, rows, network, forward) for part, rows in chosen.items() if len(rows)
    }
    folder = attempt.folder.artifacts
    folder.mkdir(exist_ok=True)
    write_atomic(folder / ANSWERS_FILE, encode_answers(answers))


def _ask(
    attempt: Attempt, teaching: Teaching | None, images: Images, rows: Rows, network: nn.Module, forward: Forward
) -> Answers:
    own = centre_logits(attempt, images, rows, network, forward).float().numpy()
    heard = None if teaching is None else (teaching.targets.centre(rows) / teaching.divisor).float().numpy()
    return make_answers([images.pack.keys[row] for row in rows], own, heard)
