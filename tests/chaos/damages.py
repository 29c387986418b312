"""Files damaged by chance: takes a finished home and a seed, gives damages one after the other, and what must hold.

A damage is a flipped bit, a cut tail, a deleted file, two files that changed places, or one that lies in another's
place. It matters when it changes a row of the results, a committed artifact, a pack, targets or a verdict
(outcome.json): its checksum tells whether it is as it was written, and not whose it is. Handles tell of attempts, are
in no figure and have no checksum.
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.collect import collect, rebuild
from engine.core.data.pack import write_pack
from engine.core.data.sources import list_images
from engine.home.control_files import read_outcome
from engine.home.files import write_json
from engine.home.paths import AttemptFolder, Home
from engine.inputs.content import file_digest
from engine.inspect.deep import examine_files
from engine.inspect.doctor import OF_A_HOME, guard
from engine.schedule.worker import rebuild_queue
from engine.spec import Data
from engine.spec.identity import digest_of
from store.results import open_snapshot
from tests.collect.reading import TABLES, log_steps
from tests.helpers.queueing import states
from tests.helpers.synthetic import Arm, SyntheticHome

# A handle tells who ran an attempt, in no figure; the locks hold nothing that anybody reads.
ASIDE = ("handle.json", "scheduler.lock", "ingest.lock", ".lock")
FIGURES = [table for table in TABLES if table != "attempts"]


def build_home(root: Path) -> SyntheticHome:
    """Two submissions of an experiment, a job that went on from another attempt, a pack, targets, long journals."""
    made = SyntheticHome(root, sealed=True)
    arms = {"a": Arm(images=40), "b": Arm(0.8, prune=0.2, images=40)}
    made.job("train-resumed", "train")
    first, old = made.attempt("train-resumed", 1)
    log_steps(old, *range(300))
    second, new = made.attempt("train-resumed", 2)
    new.resumed(1, 199, 200)
    log_steps(new, *range(200, 500))
    second.artifacts.mkdir()
    (second.artifacts / "weights.safetensors").write_bytes(random.Random(1).randbytes(20_000))
    old.close()
    new.close()
    made.outcome(first, "lost")
    made.finish("train-resumed", second)
    runs = made.experiment("paper", arms, seeds=(0,))
    jobs = [{"job": job, "kind": job.partition("-")[0], "needs": [], "details": {}, "cost": 1.0}
            for job in sorted({job for run in runs for job in run["jobs"].values()})]  # fmt: skip
    made.record("paper", runs, "a", jobs=jobs, submitted_at=1_770_000_000.0)
    _put_caches(made.home)
    rebuild_queue(made.home)
    collect(made.home)
    return made


def _put_caches(home: Home) -> None:
    pack = home.pack("pack-one")
    pack.mkdir(parents=True)
    write_pack(list_images(Data(source="digits")), pack, 32, lambda *_: None)
    targets = home.targets("targets-one")
    targets.mkdir(parents=True)
    for name in ("centre.bin", "logits.bin"):
        (targets / name).write_bytes(random.Random(name).randbytes(5000))
    files = {name: {"size": 5000, "sha256": file_digest(targets / name)} for name in ("centre.bin", "logits.bin")}
    told = {"version": 3, "views": 1, "files": files, "info": {"job": "targets-one"}}
    write_json(targets / "manifest.json", told | {"self": digest_of(told)})


# The damages ----------------------------------------------------------------------------------------------------------


def flip(path: Path, other: Path, chance: random.Random) -> None:
    _write_at(
        path, (place := chance.randrange(path.stat().st_size)), path.read_bytes()[place] ^ (1 << chance.randrange(8))
    )


def cut(path: Path, other: Path, chance: random.Random) -> None:
    os.truncate(path, chance.randrange(path.stat().st_size))


def delete(path: Path, other: Path, chance: random.Random) -> None:
    path.unlink()


def swap(path: Path, other: Path, chance: random.Random) -> None:
    beside = path.with_name(".swapped")
    path.rename(beside)
    other.rename(path)
    beside.rename(other)


def double(path: Path, other: Path, chance: random.Random) -> None:
    """The file lies in another one's place too; a submission may also lie in that of the next."""
    target = path.with_name("3.json") if path.parent.parent.name == "experiments" else other
    target.unlink(missing_ok=True)
    shutil.copy(path, target)


def _write_at(path: Path, place: int, value: int) -> None:
    # In place, as a disk does it: both names of a result are of one file.
    with open(path, "r+b") as handle:
        handle.seek(place)
        handle.write(bytes([value]))


Kind = Callable[[Path, Path, random.Random], None]
ALONE: tuple[Kind, ...] = (flip, flip, cut, delete)
KINDS: tuple[Kind, ...] = (*ALONE, swap, double)


# What must hold -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Done:
    """A damage: what was done to which file, and the other file that it touched."""

    kind: str
    path: Path
    other: Path

    @property
    def paths(self) -> tuple[Path, ...]:
        return (self.path, self.other) if self.kind in ("swap", "double") else (self.path,)

    def __str__(self) -> str:
        return f"{self.kind} {' '.join(map(str, self.paths))}"


@dataclass
class Ravager:
    """Damages a home again and again, and holds each time that nothing is silent and nothing else is lost."""

    home: Home
    copy: Path
    seed: int
    tally: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        shutil.rmtree(self.copy, ignore_errors=True)
        _copy_linked(self.home.root, self.copy)
        rebuild(self.home)
        self.rows, self.sums = _export(self.home), _sum_tables(self.home)
        self.states, self.bytes = states(self.home), self._content()
        pairs = _ask(self.home, "select run, job from run_jobs")
        self.runs = {run: {job for one, job in pairs if one == run} for run, _ in pairs}

    def round(self, most: int) -> int:
        """Damage up to `most` files at once, hold what must hold, put all back; return how many were damaged."""
        done = self._damage(most)
        about = "; ".join(map(str, done))
        try:
            said = "\n".join(self._examine())
            if done[0].path.parent in (self.home.root, self.home.cache):
                told = self._hold_derived(done[0].path, said)
                self.tally[f"{done[0].path.name}: {told}"] += 1
            else:
                self._hold_content(said)
                self._hold_verdicts(done, said)
                rebuild(self.home)
                self._hold_rows(said)
                self._count(done, said)
        except AssertionError as error:
            raise AssertionError(f"after {about}: {error}") from error
        finally:
            self._put_back()
        return len(done)

    def _damage(self, most: int) -> list[Done]:
        files = sorted(path for path in self.home.root.rglob("*") if self._is_meant(path))
        # What is made from other files is damaged alone.
        made = (self.home.root, self.home.cache)
        chosen = self.chance.sample(files, most)
        alone = [path for path in chosen if path.parent in made]
        chosen = alone[:1] or chosen
        rest = [one for one in files if one.parent not in made and not any(one.samefile(path) for path in chosen)]
        done: list[Done] = []
        for path in chosen:
            touched = {one for before in done for one in before.paths}
            kind = self.chance.choice(ALONE if alone else KINDS)
            free = [one for one in rest if one not in touched and one.exists()]
            other = self.chance.choice([one for one in free if one.name == path.name] or free)
            # Both names of a result are one file, which is damaged once.
            if path not in touched and path.exists() and path.stat().st_size:
                kind(path, other, self.chance)
                done.append(Done(kind.__name__, path, other))
        return done

    def _is_meant(self, path: Path) -> bool:
        return path.is_file() and path.stat().st_size > 0 and path.name not in ASIDE and path.suffix != ".lock"

    def _examine(self) -> list[str]:
        findings = [guard(name, lambda of=of: of(self.home)) for name, of in OF_A_HOME]  # type: ignore[misc]
        findings += examine_files(self.home, lambda *_: None)
        bad = [one for one in findings if not one.is_well and one.name != "disk"]
        assert all(one.fix for one in bad), "a finding has no fix"
        return [str(one) for one in bad]

    def _count(self, done: list[Done], said: str) -> None:
        for one in done:
            names = [path.relative_to(self.home.root).parts for path in one.paths]
            is_named = any(parts[1] in said or parts[2] in said for parts in names)
            self.tally[f"{one.kind}: {'named' if is_named else 'of nothing that counts'}"] += 1

    # What must hold of what is made from other files ------------------------------------------------------------------

    def _hold_derived(self, path: Path, said: str) -> str:
        if path == self.home.queue_db:
            rebuild_queue(self.home)
            assert states(self.home) == self.states, "the queue that was made anew says otherwise"
        elif path == self.home.ingest_db:
            collect(self.home)
        else:
            self._hold_published(said)
            rebuild(self.home)
        assert _sum_tables(self.home) == self.sums, "rows are others"
        return "named" if said else "made anew, or whole where it counts"

    def _hold_published(self, said: str) -> None:
        """What was published is read as it was, or not at all."""
        try:
            now = _sum_tables(self.home)
        except Exception:
            assert said, "results cannot be read, and nothing was said"
        else:
            assert now == self.sums, "other figures are read from damaged results"

    # ... of rows, and of what was committed beside them ---------------------------------------------------------------

    def _hold_rows(self, said: str) -> None:
        """A rebuild gives the rows that were, but for those of what it names as damaged, which gives none."""
        if _sum_tables(self.home) == self.sums:
            return
        after, damaged = _export(self.home), _ask(self.home, "select experiment, job, file from damaged")
        lost = {str(job) for _, job, _ in damaged if job}
        for table in ("metrics", "metrics_last", "predictions", "measurements", "teachers", "facts", "provenance"):
            kept = [row for row in self.rows[table] if not any(job in row for job in lost)]
            assert after[table] == kept, f"{table} has other rows than those of {lost or 'nobody'}"
        unsaid = [file for _, _, file in damaged if str(file) not in said]
        assert not unsaid, f"doctor says nothing of {unsaid}"
        # That it was there the queue knows, and no file.
        is_older = "the queue knows a later one" in said
        if not is_older and not any(experiment for experiment, _, _ in damaged):
            self._hold_runs(lost)

    def _hold_runs(self, lost: set[str]) -> None:
        now = [repr(row) for row in _ask(self.home, "from results")]
        for run, jobs in self.runs.items():
            (before,) = [row for row in self.rows["results"] if str(run) in row]
            assert jobs & lost or before in now, f"the figures of {run} are others"

    def _hold_content(self, said: str) -> None:
        now = self._content()
        changed = [path for path, digest in self.bytes.items() if now.get(path) != digest]
        for path in changed:
            place = Path(path).relative_to(self.home.root)
            # A result that is damaged itself names no files any more: then the job is named.
            names = (str(place), str(place.parent), f"{'/'.join(place.parts[:2])}/result.json")
            assert any(name in said for name in names), f"nothing was said of {place}"

    def _hold_verdicts(self, done: list[Done], said: str) -> None:
        """A verdict that was flipped or cut says what it said, or is named; one in another's place is whole."""
        for one in done:
            if one.path.name != "outcome.json" or one.kind not in ("flip", "cut") or not one.path.exists():
                continue
            place = one.path.relative_to(self.home.root)
            before, now = (read_outcome(AttemptFolder(root / place.parent)) for root in (self.copy, self.home.root))
            assert now == before or str(place) in said, f"nothing was said of {place}"
            self.tally[f"outcome.json: {'as it was' if now == before else 'named'}"] += 1

    # The files ------------------------------------------------------------------------------------------------------

    def _content(self) -> dict[str, str]:
        """What was committed beside rows: artifacts, packs, targets."""
        kept = [*self.home.jobs_root.rglob("artifacts/*"), *self.home.cache.glob("*/*/*")]
        return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in kept if path.is_file()}

    def _put_back(self) -> None:
        shutil.rmtree(self.home.root)
        _copy_linked(self.copy, self.home.root)


def _copy_linked(source: Path, target: Path) -> None:
    """Copy a home; names of one file stay names of one file."""
    known: dict[int, Path] = {}
    for path in sorted(source.rglob("*")):
        place = target / path.relative_to(source)
        if path.is_dir():
            place.mkdir(parents=True, exist_ok=True)
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        inode = path.stat().st_ino
        if inode in known:
            os.link(known[inode], place)
        else:
            shutil.copy2(path, place)
            known[inode] = place


def _ask(home: Home, query: str) -> list[tuple[Any, ...]]:
    with open_snapshot(home) as db:
        return db.execute(query).fetchall()


def _export(home: Home) -> dict[str, list[str]]:
    with open_snapshot(home) as db:
        return {table: sorted(map(repr, db.execute(f"from {table}").fetchall())) for table in FIGURES}


def _sum_tables(home: Home) -> dict[str, object]:
    """Return a sum over the rows of each table, without regard to their order."""
    with open_snapshot(home) as db:
        sums = {
            table: db.execute(f"select count(*), sum(hash(one::varchar)::hugeint) from {table} as one").fetchall()
            for table in FIGURES
        }
    return dict(sums)
