"""Which module a network of a spec means: takes its settings, class count and image size, gives logits (B, classes).

Weights come from timm, from a .safetensors file, or from nowhere. A tiny_vit is our own module under timm's parameter
names; anything else is timm's.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import safetensors
import safetensors.torch
import timm
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.core.network.attention import LongformerAttention
from engine.core.network.checkpointing import make_lean
from engine.core.network.tiny_vit import MEAN, STD, TinyViT, Ways
from engine.core.network.units import cut_to
from engine.core.network.widths import UnitWidths, Widths
from engine.core.own_code.loading import call_own
from engine.errors import DataError, JobError, closest_hint
from engine.inputs.weights import stored_shapes
from engine.spec import Network
from engine.spec.architectures import is_tiny_vit
from engine.spec.own_code import names_code
from engine.spec.shapes import network_shape
from engine.spec.timm_views import TINY_TAG

Memory = Literal["standard", "lean"]

# Parts of parameter names that timm's TinyViT does not have.
EXTRA_NAMES = ("attn.qkv_global.", "attn.attention_biases_global", "attn.score")
HEAD_NAMES = ("head.fc.",)
# Of batch normalisation: it decides nothing where momentum is a number, and many files come without it.
COUNTER = ".num_batches_tracked"


def build_network(
    student: Network, num_classes: int, image_size: int, *, memory: Memory = "standard",
    widths: Widths | UnitWidths | None = None,
) -> nn.Module:  # fmt: skip
    """Return the network, with its weights loaded where the settings ask for some.

    `memory: lean` recomputes in backward: elementwise steps of a tiny_vit, blocks of a timm network. `widths` builds a
    pruned network.
    Raises SpecError for impossible sizes, DataError for weights that are missing or do not fit.
    """
    weights = getattr(student, "weights", "none")
    if names_code(student.arch):
        return _own_network(student, num_classes, image_size, weights, widths)
    if not is_tiny_vit(student.arch):
        cut = widths if isinstance(widths, UnitWidths) else None
        return _timm_network(student, num_classes, image_size, weights, cut, is_lean=memory == "lean")
    assert not isinstance(widths, UnitWidths), "a tiny_vit knows its widths by stage"
    ways = Ways(_backend(student), memory == "lean", student.padding == "mask")
    network = TinyViT(network_shape(student, image_size), num_classes, ways, widths)
    if weights == "pretrained":
        load_timm_weights(network, _pretrained_tiny(student.arch))
    elif weights != "none":
        load_timm_weights(network, read_weights(weights))
    return network


def build_pruned(
    network: Network, num_classes: int, image_size: int, widths: Widths | UnitWidths | None, *,
    memory: Memory = "standard",
) -> nn.Module:  # fmt: skip
    """Return the network at the given inner widths (None: unpruned), without loading any weights."""
    bare = network.model_copy(update={"weights": "none"}) if hasattr(network, "weights") else network
    return build_network(bare, num_classes, image_size, memory=memory, widths=widths)


def normalization(network: nn.Module) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the channel means and deviations (of pixels in 0..1) that the network's input is normalised with."""
    config = getattr(network, "pretrained_cfg", None)
    if isinstance(network, TinyViT) or not config:
        return getattr(network, "mean", MEAN), getattr(network, "std", STD)
    return tuple(config.get("mean", MEAN)), tuple(config.get("std", STD))


def load_timm_weights(network: nn.Module, state_dict: Mapping[str, Tensor]) -> None:
    """Load the weights of timm's tiny_vit_* (or our own under the same names) into a tiny_vit, all of them exactly.

    Bias tables of other windows are resized as timm resizes them. What timm does not have starts as a copy (global
    projections) or at zero (learned score). A head of another class count is left as it was. Raises DataError when
    anything is missing, unknown or of another size.
    """
    if not isinstance(network, TinyViT):
        raise DataError("these weights are for a tiny_vit", fix="give a network whose arch is tiny_vit_*")
    fitting, extras = _fit_tiny(network.state_dict(), state_dict)
    # `_refuse_misfits` has looked at every name; strict would refuse those that may be absent.
    network.load_state_dict(fitting, strict=False)
    _start_extras(network, extras)


def _fit_tiny(own: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], list[str]]:
    """Return what of `state` goes into a tiny_vit, and which of its own parameters are left to be started."""
    # timm's index tables: ours are computed.
    given = {name: value for name, value in state.items() if not name.endswith("attention_bias_idxs")}
    fitting = {name: _fit_table(name, value, own) for name, value in given.items()}
    head = [name for name in fitting if name.startswith(HEAD_NAMES) and _differs(fitting[name], own.get(name))]
    for name in head:
        del fitting[name]
    extras = [name for name in own if any(extra in name for extra in EXTRA_NAMES) and name not in fitting]
    _refuse_misfits(fitting, own, {*extras, *(name for name in own if name.startswith(HEAD_NAMES))})
    return fitting, extras


def check_shapes(network: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Raise DataError where `state` could not be loaded into `network`; only names and shapes are looked at."""
    if isinstance(network, TinyViT):
        _fit_tiny(network.state_dict(), state)
    else:
        _fit_timm(network, state)


def timm_weights(network: TinyViT) -> dict[str, Tensor]:
    """Return the part of the weights that timm's tiny_vit_* has, under its names."""
    state = network.state_dict()
    return {name: value for name, value in state.items() if not any(extra in name for extra in EXTRA_NAMES)}


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """Read a .safetensors file on the CPU. Raises DataError when it is missing or damaged."""
    file = Path(path).expanduser()
    if not file.is_file():
        fix = "name a .safetensors file that exists, or use weights: none"
        raise DataError("there is no weights file here", where=str(file), fix=fix)
    stored_shapes(file)  # says what is wrong with it
    try:
        state = safetensors.torch.load_file(file)
    except (safetensors.SafetensorError, OSError) as error:
        fix = "make it again or copy it again; only the .safetensors format is read"
        raise DataError(f"the weights file cannot be read: {error}", where=str(file), fix=fix) from error
    _refuse_nan(state, file)
    return state


def _refuse_nan(state: Mapping[str, Tensor], file: Path) -> None:
    """Raise DataError for a tensor that holds NaN, which would make all that the network says NaN."""
    for name, value in state.items():
        if value.is_floating_point() and bool(torch.isnan(value).any()):
            fix = "take the weights of an earlier checkpoint: the training that wrote these had failed"
            raise DataError(f"tensor {name!r} of the weights holds NaN", where=str(file), fix=fix)


def _start_extras(network: TinyViT, extras: list[str]) -> None:
    """Give parameters that the weights do not know their start: copies and zeros, not what was there before."""
    for name, module in network.attention_modules():
        if isinstance(module, LongformerAttention) and any(extra.startswith(f"{name}.") for extra in extras):
            module.copy_projections()
            if hasattr(module, "score"):
                nn.init.zeros_(module.score)


def _fit_table(name: str, value: Tensor, own: Mapping[str, Tensor]) -> Tensor:
    """Resize a bias table (heads, w * w) to the network's window: bicubic with antialiasing over (|dy|, |dx|)."""
    target = own.get(name)
    if "attention_biases" not in name or target is None or value.shape[1:] == target.shape[1:]:
        return value
    old, new = round(value.shape[1] ** 0.5), round(target.shape[1] ** 0.5)
    table = value.float().view(1, -1, old, old)
    table = F.interpolate(table, size=(new, new), mode="bicubic", antialias=True)
    return table.view(-1, new * new).to(value.dtype)


def _differs(value: Tensor, target: Tensor | None) -> bool:
    return target is not None and value.shape != target.shape


def _refuse_misfits(given: Mapping[str, Tensor], own: Mapping[str, Tensor], optional: set[str]) -> None:
    unknown = [name for name in given if name not in own]
    absent = [name for name in own if name not in given and name not in optional]
    missing = [name for name in absent if not name.endswith(COUNTER)]
    sizes = [name for name in given if name in own and _differs(given[name], own[name])]
    for what, names in (("are not in this network", unknown), ("are missing", missing), ("have another size", sizes)):
        if names:
            some = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
            fix = "use weights of the same arch, options and sizes (a transformer's are for one image size, too)"
            raise DataError(f"the weights do not fit: {some} {what}", fix=fix)


def _backend(network: Network) -> str:
    return network.attention.backend


def _pretrained_tiny(arch: str) -> Mapping[str, Tensor]:
    name = TINY_TAG.format(arch=arch)
    if arch == "tiny_vit" or not timm.is_model(name):
        raise DataError(
            "there are no pretrained weights for free sizes",
            where=arch,
            fix="use tiny_vit_5m, tiny_vit_11m or tiny_vit_21m, a .safetensors file, or weights: none",
        )
    state: Mapping[str, Tensor] = _create_timm(name, {"pretrained": True}).state_dict()
    return state


def _timm_network(
    network: Network, num_classes: int, image_size: int, weights: str, cut: UnitWidths | None = None, *, is_lean: bool
) -> nn.Module:
    name = network.arch.removeprefix("timm/")
    # For another class count timm gives pretrained weights a new head.
    options: dict[str, Any] = {"num_classes": num_classes, "pretrained": weights == "pretrained"}
    if network.drop_path is not None:
        options["drop_path_rate"] = network.drop_path
    if _has_fixed_size(name):
        options["img_size"] = image_size
    model = _create_timm(name, options | dict(network.options))
    if weights not in ("none", "pretrained"):
        _load_into_timm(model, read_weights(weights))
    if cut is not None:
        cut_to(model, cut)
    _try_size(model, name, image_size)
    if is_lean:
        make_lean(model, name)
    return model


def _own_network(
    network: Network, num_classes: int, image_size: int, weights: str, widths: Widths | UnitWidths | None
) -> nn.Module:
    model: nn.Module = call_own(network.arch, network.options, num_classes, image_size)
    if weights != "none":
        _load_into_timm(model, read_weights(weights))
    if isinstance(widths, UnitWidths):
        cut_to(model, widths)
    return model


def _has_fixed_size(name: str) -> bool:
    """Whether the network is built for one image size (position tables); the others take any."""
    if not timm.is_model(name):
        raise DataError("timm has no such network", where=f"timm/{name}", fix=closest_hint(name, timm.list_models()))
    config = timm.get_pretrained_cfg(name, allow_unregistered=True)
    return bool(config is not None and config.fixed_input_size)


def _create_timm(name: str, options: Mapping[str, Any]) -> nn.Module:
    try:
        model: nn.Module = timm.create_model(name, **options)
    except TypeError as error:
        fix = "remove that option; the names are those of timm's constructor"
        raise DataError(f"timm refuses an option: {error}", where=f"timm/{name}", fix=fix) from error
    except (ValueError, AssertionError, RuntimeError, OSError) as error:
        # Where weights are asked for it is nearly always the download.
        if options.get("pretrained"):
            fix = "give this machine access to the hub, or a filled HF_HOME; or name a file: weights: FILE.safetensors"
            reason = textwrap.shorten(_first_line(error), 80, placeholder=" ...")
            what = f"its pretrained weights cannot be had: {reason}"
            raise DataError(what, where=f"timm/{name}", fix=fix) from error
        fix = "change the options or data.image_size"
        raise DataError(f"timm cannot build it: {_first_line(error)}", where=f"timm/{name}", fix=fix) from error
    return model


def _load_into_timm(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Load everything, of timm or somebody's own; only a classifier of another class count is left as it was built."""
    model.load_state_dict(_fit_timm(model, state), strict=False)


def _fit_timm(model: nn.Module, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    own = model.state_dict()
    classifier = getattr(model, "pretrained_cfg", {}).get("classifier") or ""
    # Distilled networks have two classifiers.
    heads = tuple(f"{part}." for part in ([classifier] if isinstance(classifier, str) else classifier) if part)
    kept = {n: v for n, v in state.items() if not (heads and n.startswith(heads) and _differs(v, own.get(n)))}
    _refuse_misfits(kept, own, {name for name in own if heads and name.startswith(heads)})
    return kept


def _try_size(model: nn.Module, name: str, image_size: int) -> None:
    """Run shapes only (no arithmetic, no memory), so that a size that cannot work is refused before training."""
    was_training = model.training
    shapes = {key: value.to("meta") for key, value in [*model.named_parameters(), *model.named_buffers()]}
    try:
        with torch.no_grad():
            torch.func.functional_call(model.eval(), shapes, torch.zeros(1, 3, image_size, image_size, device="meta"))
    except NotImplementedError:
        return  # an operation that has no shape rule: the first batch will tell
    except (RuntimeError, AssertionError, ValueError) as error:
        fix = "choose data.image_size as a multiple of the network's stride or patch (32 fits nearly all)"
        what = f"it cannot take images of {image_size} px: {_first_line(error)}"
        raise JobError(what, where=f"timm/{name}", fix=fix) from error
    finally:
        model.train(was_training)


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
