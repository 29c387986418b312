"""The pickles of CIFAR: takes bytes, gives the dictionary in them; nothing that a pickle may ask for is run.

A pickle can name any function and have it called. Here only what NumPy's arrays are made of is found, and plain values.
"""

from __future__ import annotations

import codecs
import io
import pickle
from collections.abc import Mapping
from typing import Any

import numpy as np

from engine.errors import DataError


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        found = KNOWN.get((module.replace("numpy.core", "numpy._core"), name))
        if found is None:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return found


def load_pickle(content: bytes, where: str) -> dict[str, Any]:
    """Return the dictionary, keys as text. Raises DataError where the bytes are none, or ask for more than arrays."""
    try:
        held = _Unpickler(io.BytesIO(content), encoding="bytes").load()
    except Exception as error:  # a pickle's bytes are a programme: anything may come of it
        what = f"this is no pickle of CIFAR: {str(error)[:200] or type(error).__name__}"
        raise DataError(what, where=where, fix="fetch CIFAR again from its own page") from error
    if not isinstance(held, dict):
        raise DataError("this is no pickle of CIFAR", where=where, fix="fetch CIFAR again from its own page")
    return {key.decode() if isinstance(key, bytes) else str(key): value for key, value in held.items()}


KNOWN: Mapping[tuple[str, str], Any] = {
    ("numpy._core.multiarray", "_reconstruct"): np._core.multiarray._reconstruct,  # type: ignore[attr-defined]
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): codecs.encode,
}
