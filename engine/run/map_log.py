"""How the figures of maps are logged: takes one value an image, leaves their mean and percentiles."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from engine.run.attempt import Attempt
from engine.run.device import device_name
from engine.run.inputs import JOB_THREADS

Values = NDArray[np.floating[Any]]


def log_figure(attempt: Attempt, device: torch.device, name: str, values: Values, unit: str, batch_size: int) -> None:
    """Log the mean of a figure over images, with the percentiles of single ones."""
    low, high = (float(np.quantile(values, share)) for share in (0.05, 0.95))
    attempt.journal.measurement(
        name,
        float(values.mean()),
        unit,
        device=device_name(device),
        precision="fp32",
        batch_size=batch_size,
        threads=JOB_THREADS,
        p5=low,
        p95=high,
        n=len(values),
    )
