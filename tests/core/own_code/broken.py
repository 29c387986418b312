"""Broken code of every kind, with what xp says of it: for checks in this process, and of the command as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from engine.spec.own_code import CodeKind

NET = """
import torch
from torch import nn

class Thing(nn.Module):
    def __init__(self, num_classes, image_size):
        super().__init__()
        self.head = nn.Linear(3, num_classes)

    def forward(self, images):
        return self.head(images.mean((2, 3)))
"""
LOSS = """
import torch

def Thing(student, teacher, labels, temperature):
    return (student - teacher).square().mean()
"""
ATTENTION = """
from torch import nn

class Thing(nn.Module):
    def __init__(self, dim, heads, window):
        super().__init__()
        self.mix = nn.Linear(dim, dim)

    def forward(self, tokens, keep):
        return self.mix(tokens)
"""
SOURCE = """
import numpy as np

def Thing(root):
    for number in range(60):
        yield str(number % 3), np.full((8, 8), number, np.uint8)
"""
SIZES = "from pydantic import BaseModel\n\nclass Sizes(BaseModel):\n    width: int = 3\n\n"
WITH_OPTIONS = SIZES + NET.replace("image_size)", "image_size, options: Sizes)")
OPTIMIZER = """
import torch

class Thing(torch.optim.Optimizer):
    def __init__(self, groups, rate):
        super().__init__(groups, {"lr": rate})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for weight in group["params"]:
                seen = self.state[weight].setdefault("seen", torch.zeros_like(weight))
                seen.mul_(0.9).add_(weight.grad)
                weight.mul_(1 - group["lr"] * group["weight_decay"]).sub_(seen.sign() * group["lr"])
"""
CRITERION = """
def Thing(incoming, outgoing):
    return incoming.norm(dim=1) * outgoing.norm(dim=1)
"""
AUGMENTATION = """
import torch

def Thing(image, generator):
    if torch.rand((), generator=generator) < 0.5:
        image[:, ::2] = 0
    return image
"""
GOOD: dict[CodeKind, str] = {
    "network": NET,
    "loss": LOSS,
    "attention": ATTENTION,
    "source": SOURCE,
    "optimizer": OPTIMIZER,
    "criterion": CRITERION,
    "augmentation": AUGMENTATION,
}


@dataclass(frozen=True)
class Broken:
    """Code of a kind that is wrong, a piece of what xp says, and whether it can be looked at in this process.

    `is_read`: it is seen before anything is imported.
    """

    kind: CodeKind
    text: str
    says: str
    options: Mapping[str, Any] = field(default_factory=dict)
    is_tame: bool = True
    is_read: bool = False

    def at_import(self, line: str) -> Broken:
        """Return it with a line more at its top."""
        return replace(self, text=f"{line}\n{self.text}")


def network(old: str, new: str, says: str, **words: Any) -> Broken:
    assert old in NET
    return Broken("network", NET.replace(old, new), says, **words)


def loss(old: str, new: str, says: str) -> Broken:
    assert old in LOSS
    return Broken("loss", LOSS.replace(old, new), says)


def augmentation(old: str, new: str, says: str) -> Broken:
    assert old in AUGMENTATION
    return Broken("augmentation", AUGMENTATION.replace(old, new), says)


BROKEN: dict[str, Broken] = {
    # seen in the text
    "no_python": Broken("network", "class Thing(\n", "thing.py:1: is no Python", is_read=True),
    "twice": Broken("network", NET + NET, "defines Thing twice, in lines 5 and 16", is_read=True),
    "other_name": Broken("network", NET.replace("Thing", "Think"), "defines no Thing", is_read=True),
    # at import
    "raises": network("import torch", "1 / 0\nimport torch", "thing.py:2: importing it raises ZeroDivisionError"),
    "needs_a_package": network("import torch", "import torch, lab_absent", "it needs the module lab_absent"),
    "leaves": network("import torch", "import sys; sys.exit(3)", "importing it raises SystemExit"),
    "hangs": network("import torch", "import time; time.sleep(3600)", "importing or calling it hangs", is_tame=False),
    "kills": network("import torch", "import os; os._exit(0)", "ends the process (exit status 0)", is_tame=False),
    "prints": network("import torch", "import torch\nprint('hello')", "it prints 'hello'", is_tame=False),
    "default_dtype": network("import torch", "import torch; torch.set_default_dtype(torch.float64)", "default dtype"),
    "seeds": network(
        "import torch", "import torch; torch.manual_seed(1)", "torch's random numbers when it is imported"
    ),
    "draws": network("import torch", "import torch, random; random.random()", "Python's random numbers"),
    "environment": network("import torch", "import torch, os; os.environ['LAB'] = '1'", "the variable LAB"),
    "patches": network("import torch", "import torch; torch.nn.functional.relu = abs", "torch.nn.functional.relu"),
    "folder": network("import torch", "import torch, os; os.chdir('/')", "the working folder"),
    "other_each_time": network(
        "images.mean((2, 3))", "images.mean((2, 3)) + BIAS % 997", "is another one each time"
    ).at_import("import time; BIAS = time.perf_counter_ns()"),
    # what it is
    "a_number": Broken("network", "Thing = 3\n", "Thing is a int, and no class or function"),
    "no_module": Broken("network", "def Thing(num_classes, image_size):\n    return len\n", "and no torch.nn.Module"),
    "signature": network("num_classes, image_size", "classes", "cannot be called with (num_classes, image_size)"),
    "forward_words": network("self, images", "self, images, more", "thing.py:10: forward(images, more)"),
    # what it gives
    "wrong_shape": network("(3, num_classes)", "(3, 4)", "it gives the shape (2, 4), and not logits"),
    "wrong_dtype": network("(2, 3)))", "(2, 3))).double()", "it gives torch.float64 where float32 came in"),
    "raises_later": network(
        "return self.head", "raise KeyError('x')\n        return self.head", "thing.py:11: forward raises KeyError"
    ),
    "no_gradient": network("(2, 3)))", "(2, 3))).detach()", "its answer has no gradient"),
    "nan": network("(2, 3)))", "(2, 3))) / 0", "it gives NaN or infinity"),
    "a_list": network("return self.head(images.mean((2, 3)))", "return [1]", "it gives a list, and not logits"),
    "looks_at_others": network(
        "images.mean((2, 3))", "(images - images.mean(0)).mean((2, 3))", "depends on the others"
    ),
    "threads_when_called": network(
        "return self", "torch.set_num_threads(3); return self", "number of threads when it is called"
    ),
    # options
    "takes_no_options": Broken("network", NET, "it takes no options (width)", {"width": 3}),
    "unknown_option": Broken("network", WITH_OPTIONS, "it has no option 'widht'", {"widht": 3}),
    "wrong_option": Broken("network", WITH_OPTIONS, '"wide": input should be a valid integer', {"width": "wide"}),
    "no_model": network("image_size)", "image_size, options: int = 3)", "not annotated with a pydantic model"),
    # losses
    "per_image": loss(".mean()", ".mean(1)", "it gives the shape (4,), and not one number"),
    "no_tensor": loss(".mean()", ".mean().item()", "it gives a float, and not one number"),
    "changes_teacher": loss("return", "teacher.zero_()\n    return", "it changes the teacher's logits"),
    "cut_off": loss("student - teacher", "student.detach() - teacher", "its answer has no gradient"),
    "steep": loss(
        "return (student - teacher).square()",
        "return (student * 0).sqrt().mean() + student.square()",
        "its gradient is missing or not finite",
    ),
    # attentions
    "drops_tokens": Broken(
        "attention", ATTENTION.replace("self.mix(tokens)", "self.mix(tokens)[:, 1:]"), ", and not tokens (W, N, D)"
    ),
    "no_mask": Broken("attention", ATTENTION.replace("tokens, keep", "tokens"), "forward(tokens): too many positional"),
    # optimizers and criteria
    "forgets": Broken(
        "optimizer",
        OPTIMIZER.replace("self.state[weight].setdefault", "vars(self).setdefault('own', {}).setdefault").replace(
            '"seen"', "id(weight)"
        ),
        "does not go on from its state_dict()",
    ),
    "no_optimizer": Broken(
        "optimizer", "def Thing(groups, rate):\n    return groups\n", "and no torch.optim.Optimizer"
    ),
    "stands_still": Broken(
        "optimizer", OPTIMIZER.replace("weight.mul_", "weight.clone().mul_"), "its steps change nothing"
    ),
    "other_rate": Broken("optimizer", OPTIMIZER.replace('"lr": rate', '"lr": 0.5'), "do not have the rate as `lr`"),
    "one_score": Broken(
        "criterion",
        CRITERION.replace("outgoing.norm(dim=1)", "outgoing.norm()").replace("incoming.norm(dim=1)", "incoming.norm()"),
        "it gives the shape (), and not one score",
    ),
    # augmentations
    "crops": augmentation("return image", "return image[:, 1:]", "it gives the shape (3, 31, 32), and an image has"),
    "floats_out": augmentation(
        "return image", "return image / 255", "it gives torch.float32, and a view is torch.uint8"
    ),
    "gives_none": augmentation("return image", "return None", "it gives a NoneType, and no view"),
    "shared_chance": augmentation("generator=generator", "", "torch's random numbers when it is called"),
    "chance_of_its_own": augmentation(
        "return image",
        # Of so many values two are the same too seldom for a test to meet it.
        "return image * 0 + __import__('random').SystemRandom().getrandbits(7)",
        "another view of the same",
    ),
    "remembers": augmentation(
        "return image", "Thing.seen = image + getattr(Thing, 'seen', 0)\n    return Thing.seen", "another view of"
    ),
    # sources
    "no_images": Broken("source", "def Thing(root):\n    return iter(())\n", "it gives no image"),
    "no_pairs": Broken("source", "def Thing(root):\n    yield b'x'\n", "it gives a bytes, and no pair"),
    "floats": Broken("source", SOURCE.replace("np.uint8", "np.float32"), "an image is a float32 array"),
    "climbs": Broken("source", SOURCE.replace("str(number % 3)", "'../up'"), "is no name"),
    "other_images": Broken(
        "source",
        SOURCE.replace("import numpy as np", "import numpy as np, time").replace(
            "number, np.uint8", "time.perf_counter_ns() % 251, np.uint8"
        ),
        "is another one each time",
    ),
}
