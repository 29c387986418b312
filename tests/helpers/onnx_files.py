"""Small ONNX files made by hand, which takes no exporter: a convolution, its mean over the image, a head."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

CLASSES = 3


def write_small(path: Path, *, image_size: int = 16, channels: int = 4, about: bool = True) -> Path:
    """Write a network of (B, 3, S, S) to (B, 3); with `about` it says of itself what xp's files do."""
    pytest.importorskip("onnxruntime", reason="the extra `edge` is not installed")
    pytest.importorskip("onnx", reason="the extra `edge` is not installed")
    from onnx import TensorProto, helper, numpy_helper

    draw = np.random.default_rng(0)
    weights = {"kernel": (channels, 3, 3, 3), "head": (channels, CLASSES)}
    tensors = [
        numpy_helper.from_array(draw.standard_normal(shape, dtype=np.float32), name) for name, shape in weights.items()
    ]
    nodes = [
        helper.make_node("Conv", ["images", "kernel"], ["mapped"], pads=[1, 1, 1, 1]),
        helper.make_node("ReduceMean", ["mapped"], ["mean"], axes=[2, 3], keepdims=0),
        helper.make_node("MatMul", ["mean", "head"], ["logits"]),
    ]
    shapes = {"images": ["batch", 3, image_size, image_size], "logits": ["batch", CLASSES]}
    told = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()]
    graph = helper.make_graph(nodes, "small", told[:1], told[1:], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    if about:
        helper.set_model_props(model, {"xp.about": json.dumps(about_words(image_size))})
    path.write_bytes(model.SerializeToString())
    return path


def about_words(image_size: int) -> dict[str, object]:
    names = [f"class {number}" for number in range(CLASSES)]
    return {
        "network": {"arch": "timm/resnet18"}, "classes": names, "meanings": names, "image_size": image_size,
        "crop_share": 1.0, "interpolation": "bicubic", "mean": [0.5] * 3, "std": [0.5] * 3, "short_side": image_size,
        "format": "raw",
    }  # fmt: skip
