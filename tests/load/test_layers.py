"""Layers: files extend files, the nearest wins, and every word is shown in the file that says it."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import SpecError
from engine.load import load_spec
from tests.load.writing import HEAD


def test_missing_file_and_missing_base_are_spec_errors(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="cannot read"):
        load_spec(tmp_path / "nothing.yaml")
    file = tmp_path / "spec.yaml"
    file.write_text("extends: nothing.yaml\nname: a\n")
    with pytest.raises(SpecError, match="there is no file") as caught:
        load_spec(file)
    assert caught.value.problems[0].where == f"{file}:1:10"


def test_cycle_of_extends_is_shown_as_a_chain(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("extends: b.yaml\n")
    (tmp_path / "b.yaml").write_text("extends: a.yaml\n")
    with pytest.raises(SpecError, match=r"a\.yaml -> b\.yaml -> a\.yaml"):
        load_spec(tmp_path / "a.yaml")


def test_a_base_file_is_named_where_its_line_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("train:\n  lr: fast\n")
    (tmp_path / "spec.yaml").write_text(f"extends: base.yaml\n{HEAD}")
    with pytest.raises(SpecError) as caught:
        load_spec(tmp_path / "spec.yaml")
    assert caught.value.problems[0].where == f"{tmp_path}/base.yaml:2:7"


def test_a_base_that_is_missing_is_offered_its_neighbours(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("")
    (tmp_path / "spec.yaml").write_text("extends: bose.yaml\nname: a\n")
    with pytest.raises(SpecError) as caught:
        load_spec(tmp_path / "spec.yaml")
    assert caught.value.problems[0].fix == "did you mean 'base.yaml'?"
    (tmp_path / "spec.yaml").write_text("extends: gone/base.yaml\nname: a\n")
    with pytest.raises(SpecError) as caught:
        load_spec(tmp_path / "spec.yaml")
    assert caught.value.problems[0].fix == "give a path relative to this file"


def test_files_extend_files_and_the_nearest_wins(tmp_path: Path) -> None:
    (tmp_path / "far.yaml").write_text("train: {lr: 1.0, batch_size: 8, epochs: 3}\n")
    (tmp_path / "near.yaml").write_text("extends: far.yaml\ntrain: {lr: 2.0, batch_size: 16}\n")
    (tmp_path / "spec.yaml").write_text(f"extends: near.yaml\n{HEAD}train: {{lr: 3.0}}\n")
    train = load_spec(tmp_path / "spec.yaml").train
    assert (train.lr, train.batch_size, train.epochs) == (3.0, 16, 3)


def test_later_file_wins_and_lists_replace(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(
        "data: {source: digits, image_size: 32}\nstudent: {arch: tiny_vit_5m}\nseeds: [0, 1, 2]\ntrain: {lr: 1e-3}\n"
    )
    (tmp_path / "spec.yaml").write_text("extends: base.yaml\nname: a\nseeds: [5]\ndata: {image_size: 64}\n")
    spec = load_spec(tmp_path / "spec.yaml")
    assert (spec.data.source, spec.data.image_size, spec.seeds, spec.train.lr) == ("digits", 64, [5], 1e-3)


def test_a_chain_of_files_may_be_long(tmp_path: Path) -> None:
    (tmp_path / "0.yaml").write_text(f"{HEAD}seeds: [7]\n")
    for number in range(1, 1200):
        (tmp_path / f"{number}.yaml").write_text(f"extends: {number - 1}.yaml\n")
    assert load_spec(tmp_path / "1199.yaml").seeds == [7]


@pytest.mark.parametrize("name", ["x" * 5000, ".", "loop.yaml"])
def test_a_base_that_is_no_file_is_refused_at_its_line(name: str, tmp_path: Path) -> None:
    (tmp_path / "loop.yaml").symlink_to("loop.yaml")
    (tmp_path / "spec.yaml").write_text(f"extends: {name}\n{HEAD}")
    with pytest.raises(SpecError, match="there is no file") as caught:
        load_spec(tmp_path / "spec.yaml")
    assert caught.value.problems[0].where == f"{tmp_path}/spec.yaml:1:10"


def test_a_base_file_is_shared_by_two_without_a_cycle(tmp_path: Path) -> None:
    """The same base twice is a cycle only where it extends itself."""
    (tmp_path / "base.yaml").write_text("train: {lr: 2.0}\n")
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text(f"extends: base.yaml\n{HEAD}")
        assert load_spec(tmp_path / f"{name}.yaml").train.lr == 2.0


# Files that are no specs ----------------------------------------------------------------------------------------------

SECRETS = {
    "far/shadow": "root:$6$secret:1:0:::::\n",
    "far/hosts.yml": "github.com:\n  oauth_token: secret\n",
    "far/broken.yaml": "secret: [1\n",
    "far/twice.yaml": "secret: 1\nsecret: 2\n",
    "far/mixed.json": '{"name": "a", "secret": 1}',
    "far/list.yaml": "- secret\n",
    "far/bytes.yaml": "secret: \xff",
    "far/tagged.yaml": "name: !secret a\n",
}


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("is_linked", [False, True])
def test_of_a_far_file_that_is_no_spec_nothing_is_told(name: str, is_linked: bool, tmp_path: Path) -> None:
    for folder in ("specs", "far"):
        (tmp_path / folder).mkdir()
    (tmp_path / name).write_bytes(SECRETS[name].encode("latin-1"))
    file, base = tmp_path / "specs" / "spec.yaml", f"../{name}"
    if is_linked:
        base = Path(name).name
        (tmp_path / "specs" / base).symlink_to(tmp_path / name)
    file.write_text(f"{HEAD}extends: {base}\n")
    with pytest.raises(SpecError) as caught:
        load_spec(file)
    (problem,) = caught.value.problems
    assert (problem.where, problem.path) == (f"{file}:{len(HEAD.splitlines()) + 1}:10", "extends")
    assert problem.what == f"{tmp_path}/specs/{base} is no spec"
    assert "secret" not in str(caught.value)
    assert problem.fix.startswith("name a")


def test_neighbours_of_a_far_file_are_not_listed(tmp_path: Path) -> None:
    for folder in ("specs", "far"):
        (tmp_path / folder).mkdir()
    (tmp_path / "far" / "secret.yaml").write_text("")
    (tmp_path / "specs" / "spec.yaml").write_text(f"{HEAD}extends: ../far/secrets.yaml\n")
    with pytest.raises(SpecError, match="there is no file") as caught:
        load_spec(tmp_path / "specs" / "spec.yaml")
    assert caught.value.problems[0].fix == "give a path relative to this file"


def test_a_far_spec_may_be_extended_as_json_too(tmp_path: Path) -> None:
    (tmp_path / "specs").mkdir()
    (tmp_path / "base.JSON").write_text('{"train": {"lr": 2.0}}')
    (tmp_path / "specs" / "spec.yaml").write_text(f"{HEAD}extends: ../base.JSON\n")
    assert load_spec(tmp_path / "specs" / "spec.yaml").train.lr == 2.0


def test_a_spec_behind_a_link_has_its_bases_beside_the_link(tmp_path: Path) -> None:
    """A base beside the link is near, and its mistakes are told."""
    for folder in ("specs", "far"):
        (tmp_path / folder).mkdir()
    (tmp_path / "far" / "spec.yaml").write_text(f"{HEAD}extends: base.yaml\n")
    (tmp_path / "specs" / "spec.yaml").symlink_to(tmp_path / "far" / "spec.yaml")
    (tmp_path / "specs" / "base.yaml").write_text("train: {lr: [}\n")
    with pytest.raises(SpecError, match="this is not YAML"):
        load_spec(tmp_path / "specs" / "spec.yaml")


@pytest.mark.parametrize("base", ["gone.yaml", ".", "''"])
def test_a_spec_is_not_offered_as_its_own_base(base: str, tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(f"extends: {base}\n")
    with pytest.raises(SpecError) as caught:
        load_spec(tmp_path / "spec.yaml")
    assert caught.value.problems[0].fix == "give a path relative to this file"
