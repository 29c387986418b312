"""The words a spec may use: takes plain mappings, gives frozen pydantic models; unknown keys are errors.

A field marked `ASIDE` says how a job is done, not what comes out, and is no part of any id (identity.py).
Words that are planned but cannot run yet are listed in engine/load/unsupported.py, which refuses them by name.

    architectures timm_views   the networks a spec may name; how timm's weights look (timm_names.txt, timm_views.txt)
    base data registries   strict models, common numbers; images; words that are keys of a registry, without torch
    network own_code code_uses drawn_code   networks, their attention; own code by name, where it is named, may be drawn
    patterns backends   who sees whom in a window; what the attention kernels compute
    shapes         what a network's words come to at an image size: windows, radii, tiles
    training optimizers continuing   train, measure, explain, resources; timm's optimizers; what a longer one takes up
    prune controls quantize teacher   pruning; what an arm that is a control comes to; 8-bit numbers; who teaches
    distill features search space_forms experiment paper   losses, layers that follow; axes; a run, a spec; sayings
    lexicon synonyms editor written   what a word means; other tools' names for it; a JSON Schema; a value as YAML
    dotted cells trial_arms   settings by dotted path; base, arm, matrix point -> the settings of a cell; trials as arms
    identity forms   settings -> a stable id; the files that networks are exported as
    job_kinds job_settings job_file   KINDS; what decides a job of each kind, and how it is done; its spec.json
"""

from engine.spec.base import ASIDE, NAME, Model, refuse
from engine.spec.data import Augment, Data, RandAugment, parse_rand_augment
from engine.spec.distill import Distill, EntropyMatch, TemperatureSchedule
from engine.spec.experiment import Claim, Settings, Spec
from engine.spec.network import Attention, LongformerAttention, Network, Student, WindowAttention
from engine.spec.prune import Prune
from engine.spec.quantize import Quantize
from engine.spec.teacher import Assistant, Teacher, head_problem, weights_file
from engine.spec.training import Explain, Measure, Resources, Train

__all__ = [
    "ASIDE",
    "NAME",
    "Assistant",
    "Attention",
    "Augment",
    "Claim",
    "Data",
    "Distill",
    "EntropyMatch",
    "Explain",
    "LongformerAttention",
    "Measure",
    "Model",
    "Network",
    "Prune",
    "Quantize",
    "RandAugment",
    "Resources",
    "Settings",
    "Spec",
    "Student",
    "Teacher",
    "TemperatureSchedule",
    "Train",
    "WindowAttention",
    "head_problem",
    "parse_rand_augment",
    "refuse",
    "weights_file",
]
