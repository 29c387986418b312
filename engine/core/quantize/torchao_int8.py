"""torchao's PT2E for x86: takes a network and calibration images, gives a .pt2 file, its products on 8-bit numbers.

The graph quantises and dequantises around each convolution and linear layer; their weights are kept as int8. As torch
runs it from the file, the numbers are those of 8 bits and the arithmetic is float: it says what int8 answers, and is
slower than fp32. Ranges that are found while it runs are refused in a spec.
"""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from engine.core.export.about import Metadata
from engine.core.export.pt2_form import write_pt2
from engine.core.export.trace import first_line, trace_again, trace_network
from engine.core.quantize.onnx_int8 import Quantized, Watch
from engine.errors import JobError
from engine.spec.quantize import Quantize

DEQUANTIZE = "dequantize"
MOVES = {"view", "reshape", "permute", "transpose", "flatten", "unflatten", "slice", "select", "pad", "contiguous",
         "expand", "unsqueeze", "squeeze", "cat", "chunk", "split", "getitem", "clone", "detach", "to"}  # fmt: skip


def quantize_pt2(
    network: nn.Module, image_size: int, path: Path, told: Quantize, batches: Sequence[Tensor], texts: Metadata,
    watch: Watch,
) -> Quantized:  # fmt: skip
    """Write the quantised network; `batches` are normalised images, fp32 (B, 3, S, S).

    `watch(done, all)` is called before each batch. Raises JobError where PT2E cannot quantise the graph.
    """
    graph = trace_network(network, image_size).module()
    with _quiet():
        try:
            prepared = _prepare(graph)
        except Exception as error:  # its passes raise nearly anything
            raise _refusal(error) from error
    for place, images in enumerate(batches):
        watch(place, len(batches))
        with torch.no_grad():
            prepared(images)
    with _quiet():
        try:
            made = _convert(prepared)
            program = trace_again(made, image_size)
        except Exception as error:
            raise _refusal(error) from error
        write_pt2(program, path, texts)
    return _tell_kinds(program.graph_module.graph.nodes)


def _prepare(graph: nn.Module) -> Any:
    """Return the graph with what watches its values: the quantiser's own choice for x86, over all that is seen."""
    from torchao.quantization.pt2e.observer import MinMaxObserver
    from torchao.quantization.pt2e.quantize_pt2e import prepare_pt2e
    from torchao.quantization.pt2e.quantizer import QuantizationConfig, QuantizationSpec
    from torchao.quantization.pt2e.quantizer import x86_inductor_quantizer as x86

    own = x86.get_default_x86_inductor_quantization_config()
    seen = QuantizationSpec(
        dtype=torch.uint8, quant_min=0, quant_max=255, qscheme=torch.per_tensor_affine,
        observer_or_fake_quant_ctr=MinMaxObserver.with_args(eps=2**-12),
    )  # fmt: skip
    config = QuantizationConfig(seen, seen, own.weight, own.bias, False)
    return prepare_pt2e(graph, x86.X86InductorQuantizer().set_global(config))


def _convert(prepared: Any) -> nn.Module:
    """Return the quantised graph, without the fp32 weights that nothing in it reads any more."""
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e

    made = convert_pt2e(prepared)
    read = {str(node.target) for node in made.graph.nodes if node.op == "get_attr"}
    for name in [name for name, _ in (*made.named_parameters(), *made.named_buffers()) if name not in read]:
        owner, _, last = name.rpartition(".")
        delattr(made.get_submodule(owner), last)
    return made  # type: ignore[no-any-return]


def _tell_kinds(nodes: Any) -> Quantized:
    """Return which kinds of operators take dequantised numbers first, and which others there are."""
    int8, floats = Counter[str](), Counter[str]()
    for node in nodes:
        kind = str(getattr(node.target, "__name__", node.target)).split(".")[0].rstrip("_")
        if node.op != "call_function" or "quantize" in kind or kind in MOVES:
            continue
        takes = [str(one.target) for one in node.all_input_nodes]
        (int8 if takes and DEQUANTIZE in takes[0] else floats)[kind] += 1
    return Quantized(dict(sorted(int8.items())), dict(sorted(floats.items())))


def _refusal(error: Exception) -> JobError:
    fix = "set quantize.backend: onnxruntime"
    return JobError(f"torchao cannot quantise the network: {first_line(error)}", where="quantize", fix=fix)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """It prints and warns of its own parts."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
