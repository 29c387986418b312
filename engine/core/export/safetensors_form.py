"""The weights alone: takes a network and texts, gives a .safetensors file; takes a file, gives the network's answers.

The module is built around the weights from what the file says of itself, so the file is enough.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import safetensors
import torch
from safetensors.torch import save as encode_weights
from torch import Tensor, nn

from engine.core.export.about import Metadata, read_about
from engine.core.network.build import build_pruned, read_weights
from engine.core.network.widths import read_widths
from engine.errors import DataError
from engine.inputs.tensors import TENSORS, tensors_digest
from engine.inputs.weights import order_header


def write_safetensors(network: nn.Module, path: Path, texts: Metadata) -> None:
    """Write the network's tensors, in an order of their own, with the texts in the header."""
    # clone: safetensors refuses tensors that share memory.
    weights = {name: value.detach().cpu().contiguous().clone() for name, value in network.state_dict().items()}
    encoded = encode_weights(weights, metadata=dict(texts))
    path.write_bytes(order_header(encoded, {TENSORS: tensors_digest(encoded)}))


class SafetensorsModel:
    """A file as the module that it is of, run by torch."""

    def __init__(self, path: Path, threads: int | None = None) -> None:
        if threads is not None:
            torch.set_num_threads(threads)
        state = read_weights(path)
        with safetensors.safe_open(path, framework="np") as stored:
            self.texts: Metadata = stored.metadata() or {}
        about = read_about(self.texts, path)
        try:
            widths = read_widths(about.widths)
            self.network = build_pruned(about.network, len(about.classes), about.image_size, widths).eval()
            self.network.load_state_dict(state)
        except (RuntimeError, KeyError, TypeError, ValueError, AttributeError) as error:
            fix = "export it again: its weights and what it says of itself are of two networks"
            raise DataError(
                "the weights do not fit the network that it says it holds", where=str(path), fix=fix
            ) from error

    def __call__(self, images: Tensor) -> Tensor:
        """Take fp32 (B, 3, S, S), return fp32 logits (B, classes)."""
        with torch.inference_mode():
            return self.network(images)  # type: ignore[no-any-return]

    def values(self, images: Tensor) -> Iterator[tuple[str, str, Tensor]]:
        """Yield what every layer gives for `images`: its name twice, as a layer is all there is to name."""
        yield from layer_values(self.network, images)


def layer_values(network: nn.Module, images: Tensor) -> Iterator[tuple[str, str, Tensor]]:
    """Yield the name of each innermost layer, twice, and what it gives for `images`, in the order that they run."""
    found = list[tuple[str, str, Tensor]]()
    layers = [(name, part) for name, part in network.named_modules() if name and not list(part.children())]
    hooks = [part.register_forward_hook(_keep(name, found)) for name, part in layers]
    with torch.inference_mode():
        network(images)
    for hook in hooks:
        hook.remove()
    yield from found


def _keep(name: str, found: list[tuple[str, str, Tensor]]) -> Callable[[nn.Module, object, object], None]:
    def hook(module: nn.Module, inputs: object, output: object) -> None:
        if isinstance(output, Tensor):
            found.append((name, name, output.clone()))

    return hook
