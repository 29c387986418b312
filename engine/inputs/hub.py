"""Published weights before any work: takes networks of a spec, gives what keeps their weights from being had here.

No network is asked: the hub's cache on this machine is looked at, and HF_HUB_OFFLINE. Where timm has weights that the
hub does not (an address alone), nothing can be said.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from engine.spec import Network, Settings
from engine.spec.timm_views import weights_name

FILES = ("model.safetensors", "pytorch_model.bin")  # what timm asks for, in this order


def hub_name(arch: str) -> str | None:
    """Return where on the hub timm's weights of `arch` lie (owner/name), None where that is not known."""
    name = weights_name(arch)
    if name is None:
        return None
    owner = next((owner for pattern, owner in OWNERS.items() if re.search(pattern, name)), "timm")
    return f"{owner}/{name.replace('_quickgelu', '')}" if owner else None


def is_cached(repository: str) -> bool:
    """Whether weights of a network are in the hub's cache on this machine."""
    from huggingface_hub import try_to_load_from_cache  # 0.1 s, for those alone who ask for published weights

    return any(isinstance(try_to_load_from_cache(repository, file), str) for file in FILES)


def is_offline() -> bool:
    """Whether the hub must not be asked: HF_HUB_OFFLINE."""
    from huggingface_hub import constants

    return bool(constants.HF_HUB_OFFLINE)


def offline_reason(arch: str, weights: str) -> str | None:
    """Return why a job that needs these weights cannot be: they are not here, and nothing may fetch them."""
    repository = _absent_repository(arch, weights)
    if repository is None or not is_offline():
        return None
    what = f"pretrained weights of {arch} are not in the hub's cache ({repository}), and HF_HUB_OFFLINE is set"
    return f"{what}: unset it, fill the cache, or name a file (weights: FILE.safetensors)"


def hub_warnings(settings: Settings) -> Iterator[str]:
    """Yield a line for each network of a run whose published weights are not on this machine yet."""
    for path, network in settings.networks:
        weights = getattr(network, "weights", "none")
        repository = _absent_repository(network.arch, weights)
        if repository is not None:
            yield f"{path}.weights: {_told(network, repository)}"


def _told(network: Network, repository: str) -> str:
    what = f"pretrained weights of {network.arch} are not in the hub's cache on this machine ({repository})"
    file = "name a file of them (weights: FILE.safetensors)"
    if is_offline():
        return f"{what}, and HF_HUB_OFFLINE is set; fix: unset it, fill the cache, or {file}"
    then = "the job that needs them downloads them, and fails without a network"
    return f"{what}: {then}; fix: where there is none, fill the cache beforehand or {file}"


def _absent_repository(arch: str, weights: str) -> str | None:
    repository = hub_name(arch) if weights == "pretrained" else None
    return None if repository is None or is_cached(repository) else repository


# Of a name -> who has its weights where that is not timm; "" where they lie elsewhere or under another name. As of
# timm 1.0.31; a test compares all names with timm's.
OWNERS: dict[str, str] = {
    r"^cspnext_": "munehiro-k",
    r"^rdnet_": "naver-ai",
    r"\.robbyant$": "belfner",
    r"^gcvit_|^legacy_|_ijepa$|^vitamin_|florence2$|apple_mclip(_lt)?$": "",
}
