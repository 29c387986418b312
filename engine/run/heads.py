"""A teacher with a new head on a frozen network: takes an attempt and a network, fits the head to the training part."""

from __future__ import annotations

import torch
from torch import nn

from engine.core.data.loader import EvalLoader
from engine.core.network.heads import find_classifier
from engine.core.train.probe import Samples, fit_probe, pooled_features
from engine.inputs.splits import Rows
from engine.run.attempt import Attempt
from engine.run.inputs import Images, make_forward

PROBE_BATCH = 64


def probe_head(attempt: Attempt, images: Images, network: nn.Module, device: torch.device, precision: str) -> None:
    """Put the fitted head into `network`. Every image is seen once; features live in memory, centre-cropped."""
    forward, classifier = make_forward(network, device, precision), find_classifier(network)

    def features(rows: Rows) -> Samples:
        loader = EvalLoader(images.pack, rows, images.data, images.data.image_size, PROBE_BATCH)
        return pooled_features(network, classifier, loader, forward, attempt.watcher("probe"))

    split = images.split
    probe = fit_probe(features(split.train), features(split.val) if len(split.val) else None, classifier.out_features)
    with torch.no_grad():
        classifier.weight.copy_(probe.weight)
        if classifier.bias is not None:
            classifier.bias.copy_(probe.bias)
    attempt.journal.fact("probe", {"penalty": probe.penalty, "features": classifier.in_features})
