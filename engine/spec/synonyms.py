"""Words that other tools have for ours: takes a word and those that are valid, gives the ones that were meant.

Case and the signs between letters do not count: `AdamW`, `batch-size` and `TinyViT-5M` are known without an entry.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from engine.errors import closest_hint


def meant_words(word: str, choices: Iterable[str]) -> list[str]:
    """Return those of `choices` that `word` is another spelling of, or another name for; the likeliest first."""
    known = {choice: _bare(choice) for choice in choices}
    bare = _bare(word)
    same = [choice for choice, spelt in known.items() if spelt == bare]
    named = [choice for choice in SYNONYMS.get(bare, ()) if choice in known]
    ends = [choice for choice in known if "/" in choice and _bare(choice.partition("/")[2]) == bare]
    return list(dict.fromkeys([*same, *named, *ends]))[:3]


def hint_word(word: str, choices: Iterable[str]) -> str:
    """Return `did you mean ...?` with what was meant, else what closest_hint says."""
    listed = list(choices)
    found = meant_words(word, listed)
    return f"did you mean {' or '.join(map(repr, found))}?" if found else closest_hint(word, listed)


def _bare(word: str) -> str:
    """A word as it sounds; signs alone (`>`) are themselves."""
    return re.sub(r"[\s_.-]", "", word).lower() or word


# our words, each with what others call it (bare: small letters, no signs between); one word may stand for several
_OTHERS: Mapping[str, str] = {
    # keys
    "lr": "learningrate baselr maxlr initlr stepsize",
    "min_lr": "etamin lrmin minlearningrate finallr",
    "recover_lr": "finetunelr recoverylr",
    "batch_size": "batch bs bsz batchsizes trainbatchsize",
    "batch_sizes": "batch bs bsz batchsize",
    "epochs": "epoch numepochs nepochs maxepochs nbepochs",
    "warmup_epochs": "warmup warmupsteps",
    "recover_epochs": "finetuneepochs recoveryepochs retrainepochs recovery",
    "arch": "model architecture network backbone modelname timm",
    "source": "dataset datasource type kind",
    "root": "path datadir folder datapath datasetpath dir directory",
    "image_size": "imgsize resolution inputsize imagesize size imsize crop",
    "split": "splits ratio",
    "split_seed": "splitrandomstate",
    "seeds": "seed randomseed randomseeds nseeds",
    "seed": "seeds randomseed randomstate",
    "ratio": "sparsity amount rate pruningratio percentage fraction",
    "precision": "dtype amp mixedprecision fp",
    "optimizer": "optim opt optimiser",
    "schedule": "scheduler lrscheduler sched lrschedule",
    "temperature": "tau t temp kdtemperature",
    "weight": "alpha kdweight lambda distillweight",
    "label_weight": "ceweight hardweight labelsweight",
    "title": "description caption",
    "threads": "numthreads nthreads",
    "workers": "numworkers dataloaderworkers nworkers",
    "distill": "distillation kd knowledgedistillation",
    "student": "model network backbone arch",
    "data": "dataset datasets",
    "train": "training trainer fit",
    "prune": "pruning pruner sparsity",
    "quantize": "quantise quantization quantisation quant",
    "measure": "benchmark measurement measurements latency",
    "explain": "explanation explainability maps",
    "arms": "variants configs arm runs",
    "claims": "hypotheses hypothesis claim",
    "baseline": "control reference base",
    "matrix": "grid sweep",
    "resources": "hardware resource requirements",
    "extends": "defaults inherit inherits extend base parent include",
    "windows": "windowsize windowsizes window",
    "heads": "numheads nheads",
    "dims": "embeddims embeddim widths channels hiddensizes",
    "depths": "layers numlayers blocks depth",
    "weight_decay": "wd decay l2reg",
    "drop_path": "droppathrate stochasticdepth droppath",
    "label_smoothing": "smoothing ls",
    "clip_grad": "gradclip clipgradnorm gradientclipping maxgradnorm clip",
    "ema": "modelema emadecay",
    "accumulate": "accumsteps gradaccum gradientaccumulation gradientaccumulationsteps accumulation",
    "checkpoint": "save select",
    "crop_scale": "scale randomresizedcropscale",
    "crop_ratio": "aspectratio",
    "flip": "hflip horizontalflip",
    "erasing": "reprob randomerasing",
    "rand_augment": "autoaugment aa randaug",
    "mixup": "mixupalpha",
    "cutmix": "cutmixalpha",
    "gpus": "gpu numgpus ngpus devices",
    "cpus": "cpu numcpus ncpus cores",
    "memory": "mem ram",
    "time": "walltime timeout timelimit",
    "assistants": "teacherassistants tas",
    "radius": "neighbourhood neighborhood attentionwindow",
    "globals": "globaltokens nglobals numglobals globalattention",
    "method": "type strategy",
    "criterion": "importance score metric",
    "bits": "bitwidth nbits",
    "metric": "measure metricname",
    "expect": "expected direction",
    "against": "baseline versus vs",
    "columns": "metrics",
    # what a search draws from
    "log": "loguniform logfloat reciprocal",
    "float": "uniform quniform double real",
    "int": "randint integer intuniform range",
    "choice": "choices categorical values options oneof gridsearch",
    "when": "if condition only where",
    # losses
    "hinton": "kd kl kld kldiv vanilla vanillakd softtargets st",
    "ce": "crossentropy none nokd labels",
    "lskd": "logitstandardization logitstandardisation",
    # optimizers and schedules
    "adamw": "adamweightdecay adam8bit",
    "sgd": "nesterov momentumsgd",
    "cosine": "cos cosineannealing cosineannealinglr cosinelr",
    "step": "steplr multisteplr multistep",
    "poly": "polynomial polynomiallr",
    "constant": "none fixed const constantlr",
    "linear": "linearlr lineardecay",
    # precisions
    "bf16": "bfloat16 amp mixed bf16mixed torchbfloat16",
    "fp16": "float16 half 16 fp16mixed torchfloat16",
    "fp32": "float32 float full single 32 torchfloat32 f32",
    "tf32": "tensorfloat32",
    # claims
    "greater": "higher better more larger bigger up gt > >= increase above improves",
    "less": "lower smaller fewer down lt < <= decrease below worse",
    "not_worse": "noninferior noninferiority equal same equivalent == atleast",
    "test_top1": "accuracy testacc testaccuracy top1 acc acc1 top1accuracy",
    "val_top1": "valacc valaccuracy validationaccuracy",
    "test_loss": "loss",
    "params": "parameters numparams nparams parametercount paramcount size",
    "macs": "flops gflops gmacs mac ops",
    "infer_images_per_second": "throughput inferencethroughput ips fps speed imagespersecond",
    "infer_latency": "latency inferencetime inferencelatency ms",
    "train_images_per_second": "trainthroughput trainingthroughput trainspeed",
    "infer_speedup": "speedup",
    "host_peak_rss": "memory rss ram",
    "cuda_peak_allocated": "gpumemory cudamemory vram maxmemoryallocated",
    "file_bytes": "filesize modelsize",
    "train_seconds": "trainingtime traintime",
    # pruning
    "structured": "filter channel filters channels neurons units",
    "unstructured": "weight weights magnitude mask masks",
    "2:4": "semistructured nvidia24 24",
    "l1": "magnitude l1norm abs",
    "l2": "l2norm",
    "taylor": "gradient firstorder firstordertaylor",
    "none_longer": "longer nopruning unpruned",
    "after": "posttraining end",
    "gradual": "gmp iterative",
    "before": "initialization init start",
    # networks
    "longformer": "sparse local sparseattention localattention global",
    "window": "full dense swin windowed",
    "slide": "sliding slidingwindow neighbourhood neighborhood natten",
    "block": "tile tiles tiled blocks",
    "row": "raster 1d",
    "pretrained": "imagenet true default timm imagenet1k",
    "none": "scratch false random null no",
    "tiny_vit_5m": "tinyvit5m224 timmtinyvit5m224",
    "tiny_vit_11m": "tinyvit11m224",
    "tiny_vit_21m": "tinyvit21m224",
    "probe": "linear linearprobe linearprobing lp",
    "finetune": "finetuning ft",
    "slice": "zeroshot map",
    "cached": "offline cache precomputed",
    "online": "live onthefly",
    # data
    "folder": "imagefolder directory dir images disk imagenet imagenet100 zip tar csv table parquet hub webdataset wds"
    " shards cifar cifar10 cifar100 idx mnist numpy npz npy arrays",
    "digits": "sklearn sklearndigits",
    "jpeg": "jpg",
    "raw": "png pixels",
    "bicubic": "cubic",
    "bilinear": "linear",
    "best_val": "best bestval bestvalidation",
    "last": "final latest",
    "skip": "ignore",
    "stop": "raise error fail",
    # maps
    "received": "attention",
    "gradcam": "cam",
    "rollout": "attentionrollout",
    "energy": "activation activations",
    "minmax": "absmax max",
    "onnxruntime": "ort onnx",
    "torchao": "pt2e torch pytorch",
}  # fmt: skip


def _turn(words: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Return ours by what others call it; each word is looked at once, since every start of a command does this."""
    found: dict[str, tuple[str, ...]] = {}
    for ours, others in words.items():
        for other in dict.fromkeys(others.split()):
            found[other] = (*found.get(other, ()), ours)
    return found


SYNONYMS: Mapping[str, tuple[str, ...]] = _turn(_OTHERS)
