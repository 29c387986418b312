"""No secret of the environment reaches a job that does not need it, and none a log."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.launch.environment import (
    download_environment,
    format_trace,
    hide_secrets,
    is_secret,
    job_environment,
)

NEEDED = {
    "PATH": "/bin", "HOME": "/root", "LANG": "C", "LC_ALL": "C", "LD_LIBRARY_PATH": "/lib", "PYTHONPATH": "/code",
    "TMPDIR": "/tmp", "CUDA_VISIBLE_DEVICES": "0", "NVIDIA_VISIBLE_DEVICES": "all", "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1", "TORCH_HOME": "/t", "PYTORCH_CUDA_ALLOC_CONF": "x", "HF_HOME": "/hf", "XP_CACHE": "/c",
    "XP_PREEMPT_SIGNAL": "USR1", "SLURM_JOB_ID": "7", "SSL_CERT_FILE": "/ca.pem", "XDG_CACHE_HOME": "/x",
}  # fmt: skip
SECRETS = {
    "HF_TOKEN": "hf_abcdef", "AWS_SECRET_ACCESS_KEY": "s3cr3tkey", "AWS_ACCESS_KEY_ID": "AKIAAA",
    "GITHUB_TOKEN": "ghp_1", "XP_HUB": "https://tok3n123@hub/x",
    "WANDB_API_KEY": "wandb12", "XP_QUEUE": "https://queue/?id=12345", "XP_STORE_PASSWORD": "password1",
    "https_proxy": "http://me:pass1234@proxy:3128", "XP_MIRROR": "http://me:pass5678@mirror", "SLURM_JWT": "jwt12345",
    "SOMETHING": "else",
}  # fmt: skip


def test_a_job_has_what_its_libraries_need_and_nothing_else() -> None:
    assert job_environment({**NEEDED, **SECRETS}) == NEEDED


@pytest.mark.parametrize("name", SECRETS.keys() - {"XP_QUEUE", "SOMETHING"})
def test_a_secret_is_known_by_its_name_or_its_password(name: str) -> None:
    assert is_secret(name, SECRETS[name])


@pytest.mark.parametrize("name", [*NEEDED, "KEYBOARD", "MONKEY", "TOKENIZERS_PARALLELISM"])
def test_other_names_are_no_secrets(name: str) -> None:
    assert not is_secret(name, "http://host/a@b")


def test_only_who_may_download_gets_the_token_and_the_proxy(tmp_path: Path) -> None:
    spec = tmp_path / "spec.json"
    assert download_environment(spec, SECRETS) == {}
    spec.write_text('{"settings": {"network": {"weights": "none"}}}')
    assert download_environment(spec, SECRETS) == {}
    spec.write_text('{"settings": {"network": {"weights": "pretrained"}}}')
    assert download_environment(spec, SECRETS) == {name: SECRETS[name] for name in ("HF_TOKEN", "https_proxy")}


def test_what_is_said_of_an_error_hides_secrets_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    told = "403 of http://me:pass1234@proxy:3128 with hf_abcdef, else as SOMETHING"
    assert hide_secrets(told) == "403 of http://me:***@proxy:3128 with ***, else as SOMETHING"
    assert hide_secrets("ghp_1") == "ghp_1", "too short to be looked for"
    try:
        raise ValueError("hf_abcdef") from OSError("pass5678")
    except ValueError as error:
        shown = format_trace(error)
    assert "ValueError: ***" in shown
    assert "OSError: ***" in shown
