"""Where a training's images are held: takes the measured room of a GPU, gives as many there as it has room for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import nn

from engine.core.data.decoded_cache import DeviceCache, count_held, decoded_bytes
from engine.core.distill.answering import Ask, HeardBeside, OnlineTeacher
from engine.core.train.forward import Forward
from engine.core.train.room import free_bytes, training_bytes
from engine.run.attempt import Attempt
from engine.run.inputs import Images

# Of the data set: for fewer the host does nearly all the work anyway.
LEAST_SHARE = 0.05


def place_images(
    attempt: Attempt, images: Images, network: nn.Module, forward: Forward, batch: int, ask: Ask | None
) -> Images:
    """Return the images with `data.cache: auto` decided, for a training of `batch` images at once that `ask` teaches.

    On a GPU as many as fit beside the training, which is measured by a step of it; the log says how many. After an
    attempt that ran out of memory, none.
    """
    if forward.device.type != "cuda" or images.data.cache != "auto":
        return images
    if attempt.order.ooms:
        print("images stay on the host: an earlier attempt ran out of memory", flush=True)
        return _on_host(images)
    online = ask.teacher if isinstance(ask, HeardBeside) else ask
    beside = _asking(online, forward.device) if isinstance(online, OnlineTeacher) else None
    needed = training_bytes(network, forward, batch, images.data.image_size, beside)
    return hold_images(images, forward.device, free_bytes(forward.device), needed)


def _asking(ask: OnlineTeacher, device: torch.device) -> Callable[[], object]:
    size = ask.maker.look.image_size
    shown = torch.zeros((ask.batch, 3, size, size), dtype=torch.uint8, device=device)
    return lambda: ask.maker.say(shown)


def hold_images(images: Images, device: torch.device, free: int, needed: int) -> Images:
    """Hold on the device what fits into `free` bytes beside a training that takes `needed`."""
    pack = images.pack
    held = count_held(pack, free - needed)
    enough = held >= LEAST_SHARE * len(pack)
    print(_describe(held if enough else 0, len(pack), decoded_bytes(pack), free, needed), flush=True)
    if not enough:
        return _on_host(images)
    pack.decoded_caches["device", str(device)] = DeviceCache(pack, device, held)
    return replace(images, data=images.data.model_copy(update={"cache": "device"}))


def _describe(held: int, count: int, size: int, free: int, needed: int) -> str:
    sizes = (f"{value / 2**30:.1f} GiB" for value in (size, free, needed))
    return "{} of {} images are held by the GPU ({} decoded; {} free, of which the training takes {})".format(
        held, count, *sizes
    )


def _on_host(images: Images) -> Images:
    cache = "raw" if images.pack.format == "raw" else "jpeg"
    return replace(images, data=images.data.model_copy(update={"cache": cache}))
