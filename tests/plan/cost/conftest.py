"""What the tests of costs stand on: the questions of a machine, made with few words."""

from __future__ import annotations

from engine.plan.cost.speeds import Feed, Probe
from engine.spec import Augment, Student

SMALL = {"arch": "tiny_vit", "dims": [16, 32, 48, 64], "depths": [1, 1, 1, 1], "heads": [1, 2, 3, 4]}


def make_probe(image_size: int = 32, batch: int = 8, trains: bool = True, threads: int = 1, **words: object) -> Probe:
    network = Student.model_validate({**SMALL, "windows": [4, 4, 2, 1], **words}).model_dump_json()
    return Probe(network, 10, image_size, "fp32", batch, threads, False, "cpu", trains)


def make_feed(image_size: int = 32, is_photo: bool = False) -> Feed:
    augment = Augment().model_dump_json()
    return Feed(40, "raw", "auto", augment, image_size, "bicubic", 0.875, "cpu", is_photo)
