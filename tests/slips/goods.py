"""Specs that are right: takes nothing, gives texts by name, none of which needs data, weights or another file."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

SPECS = Path(__file__).parents[2] / "specs"

SMALL = """\
name: small_digits
title: A small network, taught
data: {source: digits, image_size: 32, short_side: 32, split: 70/10/20, split_seed: 3}
student:
  arch: tiny_vit
  dims: [16, 32, 48, 64]
  depths: [1, 1, 2, 1]
  heads: [1, 2, 3, 4]
  windows: [2, 2, 2, 1]
train:
  epochs: 6
  batch_size: 32
  optimizer: sgd
  momentum: 0.9
  lr: 0.05
  schedule: step
  decay_epochs: [3, 5]
  label_smoothing: 0.1
  precision: fp32
  threads: 1
  checkpoint: best_val
seeds: [0, 1, 2]
"""

FOLDER = """\
# a folder of photographs, mixed and augmented
name: photographs
data:
  source: folder
  root: /data/photographs
  image_size: 64
  short_side: 72
  split: 80/10/10
  format: jpeg
  broken: skip
  augment:
    crop_scale: [0.5, 1.0]
    rand_augment: rand-m9-mstd0.5-inc1
    mixup: 0.8
    cutmix: 1.0
    mix_targets: linear
student:
  arch: timm/resnet18
  drop_path: null
teacher:
  arch: timm/resnet50
  weights: none
  train: {epochs: 20, batch_size: 64, lr: 1e-3, warmup_epochs: 2}
  targets: online
distill:
  loss: hinton
  temperature: 4.0
  weight: 0.9
train:
  epochs: 30
  batch_size: 64
  lr: 1e-3
  ema: 0.999
prune:
  ratio: 0.3
  of: macs
  criterion: l1
  recover_epochs: 4
explain: {images: 4, maps: [gradcam, energy], deletion: 50}
report: {columns: [test_top1, params, macs]}
resources: {gpus: 1, cpus: 4, memory: 16G, time: 2h}
"""

ARMS = """\
name: arms_and_claims
data: {source: digits, image_size: 56, short_side: 64}
student:
  arch: tiny_vit_5m
  windows: [7, 7, 7, 2]
train: {epochs: 4, batch_size: 64, lr: 2.0e-3}
measure: {batch_sizes: [1, 16], threads: [1, 2], seconds: 0.5, rounds: 4}
arms:
  window: {}
  slide: {student.attention.kind: longformer, student.attention.radius: 2}
  block:
    student.attention: {kind: longformer, pattern: block, select: learned, stages: [2, 3]}
  halved:
    extends: slide
    prune: {ratio: 0.5, method: structured, recover_epochs: 1}
    controls: [scratch]
  hotter:
    teacher: {arch: timm/convnextv2_atto, train: {epochs: 3, lr: 1.0e-3}}
    distill: {loss: dkd, temperature: {from: 8.0, to: 1.0, schedule: cosine}, options: {alpha: 1.0, beta: 4.0}}
baseline: window
matrix: {train.weight_decay: [0.0, 0.05]}
seeds: [0, 1]
claims:
  - id: slide_wins
    text: The neighbourhood is enough.
    metric: test_top1
    arm: slide
    against: window
    expect: greater
  - id: half_the_size
    text: Half of it is smaller.
    metric: params
    arm: halved
    against: slide
    expect: less
"""


@cache
def good_specs() -> dict[str, str]:
    """Return the specs of the project, each with all that it extends written out where it is short, and our own."""
    own = {"small": SMALL, "folder": FOLDER, "arms": ARMS}
    shipped = {file.stem: file.read_text() for file in sorted(SPECS.glob("[a-z]*.yaml")) if file.stem != "paper"}
    return {**own, **{name: text for name, text in shipped.items() if not re.search(r"^experiments:", text, re.M)}}
