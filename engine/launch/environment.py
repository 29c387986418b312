"""What a job finds in its environment: takes ours, gives what its libraries need and no secret.

Whoever submits may hold tokens, passwords of proxies and keys of clouds in variables. A job is exec'ed with those that
NAMES and PREFIXES list alone, so that no other stands in /proc/<pid>/environ, in a log or with a program that it
starts. One that may download pretrained weights is handed HF_TOKEN and the proxies in memory, after it was exec'ed.
What a job says of an error goes through `hide_secrets` first.
"""

from __future__ import annotations

import os
import re
import traceback
from collections.abc import Mapping
from pathlib import Path

NAMES = frozenset({
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "PWD", "LANG", "LANGUAGE", "TZ", "TMPDIR", "TEMP", "TMP", "TERM",
    "VIRTUAL_ENV", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NO_COLOR",
})  # fmt: skip
PREFIXES = (
    "XP_", "PYTHON", "CONDA_", "LC_", "LD_", "XDG_", "MALLOC_",
    "OMP_", "GOMP_", "KMP_", "MKL_", "OPENBLAS_", "BLIS_", "NUMEXPR_", "ONEDNN_", "DNNL_", "ATEN_",
    "CUDA_", "NVIDIA_", "NCCL_", "GLOO_", "CUBLAS_", "CUDNN_", "HIP_", "HSA_", "ROCR_", "ROCM_",
    "TORCH_", "TORCHINDUCTOR_", "PYTORCH_", "TRITON_", "TIMM_", "HF_", "HUGGINGFACE_", "MPL",
    "SLURM_", "PBS_", "LSB_", "SGE_",
)  # fmt: skip
# Where the queue is, which no job opens, may hold a token in its address.
WITHHELD = frozenset({"XP_QUEUE"})
SECRET_WORDS = frozenset(
    {
        "TOKEN",
        "SECRET",
        "PASSWORD",
        "PASSWD",
        "PASS",
        "KEY",
        "KEYS",
        "CREDENTIAL",
        "CREDENTIALS",
        "AUTH",
        "JWT",
        "COOKIE",
    }
)
# https://user:password@host, and https://token@host.
WITH_PASSWORD = re.compile(r"://(?:[^/@\s:]*:)?([^/@\s]+)@")
DOWNLOADING = frozenset({"hf_token", "hugging_face_hub_token", "http_proxy", "https_proxy", "all_proxy", "no_proxy"})
LEAST_LETTERS = 6  # of a secret that is looked for in a text: a shorter one would blot out innocent words
PRETRAINED = '"pretrained"'


def is_secret(name: str, value: str) -> bool:
    """Return whether a variable looks as if it held a secret, by its name or by a password in an address."""
    return not SECRET_WORDS.isdisjoint(re.split(r"[^A-Z]+", name.upper())) or bool(WITH_PASSWORD.search(value))


def job_environment(ours: Mapping[str, str]) -> dict[str, str]:
    """Return those of our variables that a job is exec'ed with."""
    return {
        name: value
        for name, value in ours.items()
        if (name in NAMES or name.startswith(PREFIXES)) and name not in WITHHELD and not is_secret(name, value)
    }


def download_environment(spec: Path, ours: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return what the job with this spec.json needs beyond that to download weights; nothing where it needs none."""
    try:
        may_download = PRETRAINED in spec.read_text()
    except (OSError, ValueError):
        return {}
    return {name: value for name, value in ours.items() if may_download and name.lower() in DOWNLOADING}


def hide_secrets(text: str, ours: Mapping[str, str] = os.environ) -> str:
    """Return the text with every secret of the environment that stands in it as `***`."""
    for secret in sorted(_list_secrets(ours), key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


def _list_secrets(ours: Mapping[str, str]) -> set[str]:
    found = set[str]()
    for name, value in ours.items():
        passwords = WITH_PASSWORD.findall(value)
        found.update(passwords or ([value] if is_secret(name, value) else []))
    return {secret for secret in found if len(secret) >= LEAST_LETTERS}


def format_trace(error: BaseException) -> str:
    """Return the traceback of an error without the secrets of the environment."""
    return hide_secrets("".join(traceback.format_exception(error)))
