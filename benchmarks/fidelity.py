"""Successive halving against random search on photographs: training time until random search's best is reached.

    python benchmarks/fidelity.py [--quick] [--json] [--photos FOLDER_OR_ARCHIVE] [--trials N] [--seeds 0,1]

Two specs with `search:` over one space (rate, weight decay, label smoothing, batch size), each submitted and worked off
by xp, on ten classes at 64 pixels with warmup-stable-decay. The peer draws by chance and trains each for all epochs.
Ours (`sampler: tpe` and `fidelity`) trains for the fewest first, and of four the best goes on for longer, from the
state before its decay: three rungs, each four times as long (one in four: Li et al., A System for Massively Parallel
Hyperparameter Tuning, 2020). It may ask for twice as many trials. Both choose by accuracy on the validation part, and
jobs run one after another. Ours is what it took until a whole trial was as good as the peer's best. `ratio` is the
peer's over ours, and the peer's is

  all           all of its trials, after which it knows that this is its best
  until best    its trials until the best was among them, in the mean over all orders they could have come in

in seconds that training jobs took, and in epochs, of which other work on the machine changes nothing. `weights`: of the
trials that went up to the top, how many have the bits of a straight training of as many epochs.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks import ROOT, Row
from engine.home.files import read_json, write_json
from engine.home.paths import open_home
from engine.spec.continuing import stable_epochs
from engine.spec.training import Train
from store.results import open_snapshot

GIVEN = ROOT.parent / "shared" / "data" / "imagenette224" / "val.zip"
XP = (sys.executable, "-P", "-m", "engine.cli")
NETWORK = {"arch": "tiny_vit", "dims": [16, 32, 64, 96], "depths": [1, 1, 2, 1], "heads": [1, 1, 2, 3]}
MORE = 2  # times as many trials may be begun, most of which are short
SPACE = {
    "train.lr": {"log": [3e-5, 3e-2]},
    "train.weight_decay": {"log": [1e-3, 1.0]},
    "train.label_smoothing": {"float": [0.0, 0.3]},
    "train.batch_size": {"choice": [20, 50, 120]},
}
RESULT = """
select t.trial, coalesce(try_cast(regexp_extract(t.trial_arm, '-e([0-9]+)$', 1) as integer), $whole) as epochs,
    t.val_top1, r.train_seconds, j.job, t.drawn
from trials t join results r on r.run = t.run join run_jobs j on j.run = t.run and j.role = 'student'
join (select job, max(ended_at) as ended from attempts where outcome = 'done' group by job) a on a.job = j.job
where t.experiment = 'fidelity' and t.refused is null order by a.ended
"""


@dataclass(frozen=True)
class Scale:
    """How large the comparison is: epochs of each rung, of how many one goes up, trials, classes, pixels."""

    rungs: tuple[int, ...] = (3, 12, 48)
    keep: int = 4
    trials: int = 27
    classes: int = 10
    pixels: int = 64


@dataclass(frozen=True)
class Trial:
    """A training that ended: its number, its epochs in all, and what it took: seconds, epochs that it did itself."""

    number: int
    whole: int
    value: float
    seconds: float
    epochs: int
    weights: str
    settings: Mapping[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="six trials of two rungs, four classes: no judgement")
    parser.add_argument("--json", action="store_true", help="print one JSON list and nothing else")
    parser.add_argument("--photos", default=os.environ.get("XP_PHOTOS") or str(GIVEN), help="folder or archive")
    parser.add_argument("--trials", type=int, help="other than 27")
    parser.add_argument("--seeds", default="0", help="studies, each with settings of its own: 0,1,2")
    chosen = parser.parse_args()
    scale = Scale((2, 6), 3, 6, 4, 32) if chosen.quick else Scale(trials=chosen.trials or Scale.trials)
    if not Path(chosen.photos).exists():
        print(f"skipped: there are no photographs in {chosen.photos}; name some with --photos", file=sys.stderr)
        print("[]" if chosen.json else "")
        return
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XP_CACHE"] = str(Path(folder) / "cache")  # what is packed once serves both
        for seed in map(int, chosen.seeds.split(",")):
            rows += list(compare(Path(folder) / str(seed), base_tree(scale, chosen.photos), scale, seed))
    if chosen.json:
        print(json.dumps([asdict(row) for row in rows]))
        return
    for row in rows:
        print(
            f"{row.case:22} {row.figure:30} {row.ours:9.1f} {row.peer:9.1f} {row.unit:8} x{row.ratio:.2f}  (n={row.n})"
        )


def base_tree(scale: Scale, photos: str) -> dict[str, Any]:
    words = {"source": "folder", "root": photos, "image_size": scale.pixels, "short_side": scale.pixels + 8}
    classes = sorted(CLASSES)[: scale.classes]
    return {
        "name": "fidelity",
        "data": {**words, "split": "60/20/20", "classes": classes},
        "student": NETWORK,
        "train": {"precision": "fp32", "threads": 1, "schedule": "wsd", "decay_epochs": 1, "warmup_epochs": 1},
        "measure": {"batch_sizes": [1], "rounds": 2, "seconds": 0.1},
        "explain": {"images": 1},
        "resources": {"gpus": 0, "cpus": 1, "memory": "2G"},
    }


def compare(folder: Path, tree: Mapping[str, Any], scale: Scale, seed: int) -> Iterator[Row]:
    folder.mkdir(parents=True)
    tree = {**tree, "train": {**tree["train"], "epochs": scale.rungs[-1]}}
    search = {"metric": "val_top1", "trials": scale.trials, "parallel": 1, "seed": seed, "space": SPACE}
    whole = run_search(folder / "random", scale, {**tree, "search": {**search, "sampler": "random"}})
    best = max(trial.value for trial in whole)
    more = {"trials": MORE * scale.trials, "fidelity": {"epochs": list(scale.rungs), "keep": scale.keep}}
    halved = run_search(folder / "halving", scale, {**tree, "search": {**search, **more}})
    told = [trial for trial in halved if trial.whole == scale.rungs[-1] and trial.value >= best]
    spent = halved[: halved.index(told[0]) + 1] if told else halved
    case = f"study {seed}" if told else f"study {seed}, not reached"
    for figure, unit in (("seconds", "s"), ("epochs", "epochs")):
        ours = float(sum(getattr(trial, figure) for trial in spent))
        costs = [float(getattr(trial, figure)) for trial in whole]
        for name, peer in (("all", sum(costs)), ("until best", mean_until_best(whole, costs))):
            yield Row(case, f"training {figure}, {name}", ours, peer, peer / ours if told else 0.0, unit, scale.trials)
    went_up = [trial for trial in spent if trial.whole == scale.rungs[-1]]
    alike = count_alike(folder / "straight", tree, went_up)
    yield Row(case, "weights as of straight runs", alike, len(went_up), alike / len(went_up), "trials", len(went_up))


def count_alike(home: Path, tree: Mapping[str, Any], trials: Sequence[Trial]) -> int:
    """Train what went up straight through; return how many have the same weights."""
    _work_off(home, {**tree, "arms": {f"t{trial.number}": trial.settings for trial in trials}})
    with open_snapshot(home) as db:
        rows = db.execute(
            "select r.arm, j.job from raw.runs r join run_jobs j on j.run = r.run and j.role = 'student'"
        ).fetchall()
    straight = {arm: _weights_of(home, job) for arm, job in rows}
    return sum(straight[f"t{trial.number}"] == trial.weights for trial in trials)


def mean_until_best(whole: Sequence[Trial], costs: Sequence[float]) -> float:
    """Return what a search has spent when its best is among its trials, in the mean over all orders.

    Each other trial comes before the first of b best ones with a chance of 1 / (b + 1).
    """
    best = max(trial.value for trial in whole)
    firsts = [cost for trial, cost in zip(whole, costs, strict=True) if trial.value == best]
    others = sum(costs) - sum(firsts)
    return sum(firsts) / len(firsts) + others / (len(firsts) + 1)


def run_search(home: Path, scale: Scale, tree: Mapping[str, Any]) -> list[Trial]:
    """Work off a searched spec; return its trials in the order in which they ended."""
    _work_off(home, tree)
    with open_snapshot(home) as db:
        rows = db.execute(RESULT, {"whole": scale.rungs[-1]}).fetchall()
    asked = tree["search"]["trials"]
    assert len({row[0] for row in rows}) == asked, f"{len(rows)} trials of {asked} have ended"
    return [_read(home, scale, row, "fidelity" in tree["search"]) for row in rows]


def _work_off(home: Path, tree: Mapping[str, Any]) -> None:
    spec = home.with_suffix(".json")
    write_json(spec, tree)
    print(f"{home.name} ...", file=sys.stderr, flush=True)
    _xp("submit", str(spec), "--no-start", home=home)
    _xp("worker", "--until-idle", "--slots", "1", home=home)


def _read(home: Path, scale: Scale, row: tuple[int, int, float, float, str, str], is_halved: bool) -> Trial:
    number, whole, value, seconds, job, drawn = row
    rung = scale.rungs.index(whole)
    before = scale.rungs[rung - 1] if is_halved and rung else 0
    own = whole - (stable_epochs(Train(epochs=before, schedule="wsd", decay_epochs=1)) or 0 if before else 0)
    return Trial(number, whole, value, seconds, own, _weights_of(home, job), json.loads(drawn))


def _weights_of(home: Path, job: str) -> str:
    return str(read_json(open_home(home).job(job).result)["weights_sha256"])


def _xp(*words: str, home: Path) -> str:
    done = subprocess.run([*XP, "--home", str(home), *words], capture_output=True, text=True, cwd=ROOT, check=False)
    if done.returncode:
        raise RuntimeError(f"xp {' '.join(words)}: {done.stderr[-2000:]}")
    return done.stdout


CLASSES = (
    *("n01440764", "n02102040", "n02979186", "n03000684", "n03028079"),
    *("n03394916", "n03417042", "n03425413", "n03445777", "n03888257"),
)

if __name__ == "__main__":
    main()
