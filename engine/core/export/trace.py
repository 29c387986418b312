"""The network as a graph: takes a module and its image size, gives torch's exported program with a free batch.

It is traced as if something could still be learned, with nothing that learns: then no operator writes over its input,
and batch norms are nodes of their own, which converters fold into the convolutions.
"""

from __future__ import annotations

import warnings

import torch
from torch import nn
from torch.export import ExportedProgram

from engine.core.network.window import WindowAttention
from engine.errors import JobError

TRACED_BATCH = 2  # with one, its axis would be taken for one that is broadcast
INPUT, OUTPUT, BATCH = "images", "logits", "batch"


def trace_network(network: nn.Module, image_size: int) -> ExportedProgram:
    """Return the graph of (B, 3, S, S) to (B, classes). Raises JobError where the network cannot be traced so."""
    return trace_again(prepare_network(network), image_size)


def trace_again(network: nn.Module, image_size: int) -> ExportedProgram:
    """Return the graph of a module that is prepared, or is a graph itself. Raises as `trace_network`."""
    images = torch.zeros(TRACED_BATCH, 3, image_size, image_size)
    batch = torch.export.Dim(BATCH, min=1)
    try:
        with torch.enable_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of tracing itself, about what is not ours to mend
            program = torch.export.export(network, (images,), dynamic_shapes=({0: batch},), strict=False)
    except Exception as error:  # tracing raises nearly anything
        what = f"its graph cannot be traced: {first_line(error)}"
        fix = "export --format safetensors, which needs no graph"
        raise JobError(what, where=type(network).__name__, fix=fix) from error
    forget_places(program)
    return program


def prepare_network(network: nn.Module) -> nn.Module:
    """Set the network up to be traced, in place: evaluation, no gradients, no kernels that are a GPU's alone."""
    network.eval().cpu().requires_grad_(False)
    for part in network.modules():
        if isinstance(part, WindowAttention) and part.backend == "triton":
            part.backend, part.prefers_triton = "auto", False  # the same formula, by operators that a file can hold
    return network


def forget_places(program: ExportedProgram) -> None:
    """Take out where each node was made: paths and addresses of this machine, which make equal networks other files."""
    for module in program.graph_module.modules():
        for node in getattr(getattr(module, "graph", None), "nodes", ()):
            for name in ("stack_trace", "from_node"):
                node.meta.pop(name, None)


def first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
