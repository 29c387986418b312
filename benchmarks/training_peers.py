"""The sides of benchmarks/training.py that are others': timm's train.py and torchdistill's DistillationBox.

Each takes the words of training_sides.py and trains until its process ends; epochs wait for their lines.
"""

from __future__ import annotations

import runpy
import sys
from importlib import import_module
from typing import Any

import timm
import torch
from torch import Tensor

from benchmarks.training_gate import gated

SIZE, CLASSES, EPOCHS = 224, 2, 1000


def run_timm(words: dict[str, Any]) -> None:
    """Run timm's own train.py, whose epochs wait for their lines; it takes its package from the same checkout."""
    torch.set_num_threads(words["threads"])
    checkout, folder = words["timm"], words["folder"]
    sys.path.insert(0, checkout)
    sys.argv = [
        "train.py",
        *("--data-dir", f"{folder}/photos", "--model", "tiny_vit_5m_224", "--num-classes", str(CLASSES)),
        *("--batch-size", str(words["batch"]), "--opt", "adamw", "--lr", "1e-4", "--device", "cpu", "--workers", "1"),
        *("--epochs", str(EPOCHS), "--val-interval", str(EPOCHS), "--log-interval", "999"),
        *("--output", f"{folder}/timm", *words["flags"]),
    ]
    # Imported, not run: its steps are then a name that can be given another value.
    script = runpy.run_path(f"{checkout}/train.py", run_name="timm_train")
    names = script["main"].__globals__
    _skip_weights()
    plain = names["train_one_epoch"]

    def train_one_epoch(*given: Any, **named: Any) -> Any:
        answer: list[Any] = []
        loader = given[2] if len(given) > 2 else named["loader"]

        def epoch() -> int:
            answer.append(plain(*given, **named))
            return len(loader) * int(words["batch"])

        gated(epoch)()
        return answer[0]

    names["train_one_epoch"] = train_one_epoch
    script["main"]()


def _skip_weights() -> None:
    """Let timm's teacher be drawn: how fast it is does not depend on its weights, which need a network to be had."""
    distillation: Any = import_module("timm.task.distillation")
    make = distillation.create_model
    distillation.create_model = lambda *given, **named: make(*given, **{**named, "pretrained": False})


def run_torchdistill(words: dict[str, Any]) -> None:
    """Train in torchdistill's box, its teacher in the step; loaders, loss and optimizer are those it makes."""
    torch.set_num_threads(words["threads"])
    sys.path.insert(0, words["torchdistill"])
    distillation: Any = import_module("torchdistill.core.distillation")
    # Their registries are filled as they are imported.
    for name in ("losses.high_level", "losses.mid_level", "core.interfaces.forward_proc"):
        import_module(f"torchdistill.{name}")
    teacher, student = (timm.create_model(name, num_classes=CLASSES) for name in (words["teacher"], "tiny_vit_5m_224"))
    device = torch.device("cpu")
    if "channels_last" in words["flags"]:
        teacher, student = (one.to(memory_format=torch.channels_last) for one in (teacher, student))
    box = distillation.get_distillation_box(
        teacher.eval(), student, {"train": _photos(words["folder"])}, _box_settings(words), device, None, False, 1
    )

    def epoch() -> int:
        images = 0
        box.pre_epoch_process(epoch=0)
        for pixels, labels, more in box.train_data_loader:
            box.pre_forward_process()
            loss = box.forward_process(_shown(pixels, words), labels, more)
            box.post_forward_process(loss=loss)
            images += len(labels)
        return images

    run = gated(epoch)
    while True:
        run()


def _shown(pixels: Tensor, words: dict[str, Any]) -> Tensor:
    return pixels.contiguous(memory_format=torch.channels_last) if "channels_last" in words["flags"] else pixels


def _photos(folder: str) -> Any:
    """Return the photographs as torchvision has them, with the augmentation that torchdistill's own examples use."""
    transforms: Any = import_module("torchvision.transforms")
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    steps = [transforms.RandomResizedCrop(SIZE), transforms.RandomHorizontalFlip(), transforms.ToTensor()]
    shown = transforms.Compose([*steps, transforms.Normalize(mean, std)])
    return import_module("torchvision.datasets").ImageFolder(f"{folder}/photos", shown)


def _box_settings(words: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of one stage, as a file of torchdistill's would have them: Hinton's loss, weight 0.9."""
    loss = {
        "key": "KDLoss",
        "kwargs": {
            **{"student_module_path": ".", "student_module_io": "output"},
            **{"teacher_module_path": ".", "teacher_module_io": "output"},
            **{"temperature": 2.0, "alpha": 0.1, "reduction": "batchmean"},
        },
    }
    loader = {"batch_size": words["batch"], "num_workers": 1, "persistent_workers": True}
    return {
        "num_epochs": EPOCHS,
        "train_data_loader": {
            "dataset_id": "train",
            "sampler": {"class_or_func": torch.utils.data.RandomSampler},
            "kwargs": loader,
        },
        "teacher": {"forward_proc": "forward_batch_only", "requires_grad": False},
        "student": {"forward_proc": "forward_batch_only"},
        "optimizer": {"key": "AdamW", "kwargs": {"lr": 1e-4}},
        "criterion": {"key": "WeightedSumLoss", "kwargs": {"sub_terms": {"kd": {"criterion": loss, "weight": 1.0}}}},
    }
