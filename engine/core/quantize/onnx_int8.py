"""ONNX Runtime's quantiser: takes an fp32 .onnx file and calibration images, gives an int8 one and what stayed float.

Static: QuantizeLinear and DequantizeLinear stand around each operator that can be computed in int8 (QDQ). Activations
are uint8 and weights int8, symmetric: what ONNX Runtime's kernels for x86 multiply. Dynamic: ranges are found anew for
each batch, only products are int8, and their weights uint8, which its kernels for that take. Norms, softmax and what is
between them stay float.
"""

from __future__ import annotations

import contextlib
import io
import logging
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from engine.core.export.about import Metadata
from engine.core.export.trace import INPUT, first_line
from engine.errors import JobError
from engine.spec.quantize import Quantize

PERCENTILE = 99.99  # of the values of an activation; the words of `calibration` name it
METHODS = {"minmax": "MinMax", "percentile": "Percentile", "entropy": "Entropy"}
PRODUCTS = ("Conv", "ConvTranspose", "Gemm", "MatMul")
DELICATE = {"LayerNormalization", "Softmax", "SimplifiedLayerNormalization"}
"""Where a graph has one of these, sums between its layers have outliers that 256 steps do not hold: products alone are
quantised then."""
INTEGER = re.compile(r"^QLinear|Integer|^QGemm|^QAttention|^DynamicQuantize(MatMul|LSTM)")
MOVES = {
    *("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "Cast", "Constant", "Identity", "Shape"),
    *("Reshape", "Transpose", "Slice", "Split", "Concat", "Gather", "Squeeze", "Unsqueeze", "Expand", "Flatten", "Pad"),
    *("ReorderInput", "ReorderOutput"),
}
"""Operators that compute nothing: they convert numbers, or move them."""
Watch = Callable[[int, int], None]


@dataclass(frozen=True)
class Quantized:
    """Which kinds of operators, and how many of each, compute in int8 and which stayed float, here."""

    int8: Mapping[str, int]
    floats: Mapping[str, int]

    def as_fact(self) -> dict[str, Any]:
        return {"int8": dict(self.int8), "float": dict(self.floats)}


def quantize_onnx(
    source: Path, path: Path, told: Quantize, batches: Sequence[Tensor], texts: Metadata, watch: Watch
) -> Quantized:
    """Write the quantised network; `batches` are normalised images, fp32 (B, 3, S, S), all of one size.

    `watch(done, all)` is called before each batch. Raises JobError where ONNX Runtime cannot quantise the graph.
    """
    import onnx

    with tempfile.TemporaryDirectory(prefix="xp-int8-") as folder, _quiet():
        simpler, made = Path(folder) / "simpler.onnx", Path(folder) / "made.onnx"
        _simplify(source, simpler)
        (_static if told.mode == "static" else _dynamic)(simpler, made, told, _Reader(batches, watch))
        model = onnx.load(str(made))
    onnx.helper.set_model_props(model, dict(sorted(texts.items())))
    path.write_bytes(model.SerializeToString(deterministic=True))
    return _tell_kinds(path)


def _simplify(source: Path, target: Path) -> None:
    """Fold norms and constants first: a convolution with its norm is one operator in int8."""
    from onnxruntime.quantization.shape_inference import quant_pre_process

    _try(lambda: quant_pre_process(str(source), str(target), skip_symbolic_shape=True))


def _static(source: Path, target: Path, told: Quantize, reader: _Reader) -> None:
    import onnx
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    there = {node.op_type for node in onnx.load(str(source)).graph.node}
    kinds = list(PRODUCTS) if there & DELICATE else None
    # Calibrated batch by batch: the values of all of them would not fit into memory.
    more = {"CalibStridedMinMax": 1, "CalibPercentile": PERCENTILE}
    _try(
        lambda: quantize_static(
            str(source), str(target), reader, quant_format=QuantFormat.QDQ, op_types_to_quantize=kinds,
            per_channel=told.per_channel,
            activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod[METHODS[told.calibration]], extra_options=more,
            calibration_providers=["CPUExecutionProvider"],
        )
    )  # fmt: skip


def _dynamic(source: Path, target: Path, told: Quantize, reader: _Reader) -> None:
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    _try(
        lambda: quantize_dynamic(
            str(source), str(target), per_channel=told.per_channel, weight_type=QuantType.QUInt8,
            nodes_to_exclude=list(_odd_products(onnx.load(str(source)).graph)),
        )
    )  # fmt: skip


def _odd_products(graph: Any) -> Iterator[str]:
    """Yield products whose weight is on the left, or no matrix: scales by channel are put where they do not fit."""
    sizes = {weight.name: len(weight.dims) for weight in graph.initializer}
    for node in graph.node:
        if node.op_type == "MatMul" and (node.input[0] in sizes or sizes.get(node.input[1], 2) != 2):
            yield node.name


def _try(work: Callable[[], Any]) -> None:
    try:
        work()
    except JobError:
        raise
    except Exception as error:  # its own, ONNX's and protobuf's have no base in common
        what = f"ONNX Runtime cannot quantise the network: {first_line(error)}"
        fix = "set quantize.calibration: minmax, or try the other quantize.mode"
        raise JobError(what, where="quantize", fix=fix) from error


class _Reader:
    """Calibration images as ONNX Runtime asks for them: a range of batches, one after the other."""

    def __init__(self, batches: Sequence[Tensor], watch: Watch) -> None:
        self.batches, self.watch = batches, watch
        self.next, self.end = 0, len(batches)

    def __len__(self) -> int:
        return len(self.batches)

    def set_range(self, start_index: int, end_index: int) -> None:
        self.next, self.end = start_index, end_index

    def get_next(self) -> dict[str, Any] | None:
        if self.next >= self.end:
            return None
        self.watch(self.next, len(self.batches))
        self.next += 1
        return {INPUT: self.batches[self.next - 1].numpy()}


def _tell_kinds(path: Path) -> Quantized:
    """Return what ONNX Runtime makes of the file on this machine: which kinds it really computes in int8."""
    import onnx
    import onnxruntime

    with tempfile.TemporaryDirectory(prefix="xp-int8-") as folder:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.optimized_model_filepath = str(Path(folder) / "settled.onnx")
        onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        nodes = onnx.load(options.optimized_model_filepath).graph.node
    kinds = Counter(node.op_type for node in nodes if node.op_type not in MOVES)
    int8 = {kind for kind in kinds if INTEGER.search(kind)}
    return Quantized(_counts(kinds, int8), _counts(kinds, kinds.keys() - int8))


def _counts(kinds: Mapping[str, int], names: Set[str]) -> dict[str, int]:
    return {kind: kinds[kind] for kind in sorted(names)}


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """It logs advice about its own ways to the root logger, and prints what it does."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(before)
