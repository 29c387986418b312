"""Every command by the flow of the work: its file, its line in `xp --help`, examples, and what it ends with.

What a command does says its own docstring. Light: `xp --help` reads this and imports no command.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

START, BEFORE, RUN, FOLLOW = "Start", "Look before", "Run", "Follow"
RESULTS, PAPER, NETWORKS = "Results", "Paper", "Networks"
KEEP, HOME = "Housekeeping", "This home and machine"
FOUND = "0, or with 2 where nothing is called so"


@dataclass(frozen=True)
class Entry:
    """A command as its helps show it; `line` is for a list, `inner` are the commands of a group."""

    panel: str
    module: str
    line: str
    examples: tuple[str, ...] = ()
    ends: str = ""
    inner: Mapping[str, Entry] = field(default_factory=dict)

    def help_text(self, about: str) -> str:
        """Return the whole help: what the command does, an example on each line, its exit codes."""
        if not self.examples:
            return about
        paragraphs = [" ".join(paragraph.split()) for paragraph in about.strip().split("\n\n")]
        return "\n\n".join((*paragraphs, "\n".join(("Examples:", *self.examples)), f"Ends with {self.ends}."))


GUIDE: dict[str, Entry] = {
    "init": Entry(
        START, "specs", "Lay out specs to start from",
        ("xp init", "xp init study", "xp init --template", "xp init --plugin"),
        "0, or with 2 where nothing can be written",
    ),
    "explain": Entry(
        START, "specs", "Say what a word of a spec or of the results means",
        ("xp explain train.lr", "xp explain hinton", "xp explain test_top1", "xp explain cells", "xp explain --all"),
        "0, or with 2 where there is no such word",
    ),
    "schema": Entry(
        START, "specs", "Print the JSON Schema of a spec, for editors",
        ("xp schema > specs/xp.schema.json",),
        "0",
    ),
    "validate": Entry(
        BEFORE, "specs", "Check specs without running anything",
        ("xp validate specs/*.yaml", "xp validate study.yaml --set train.epochs=1"),
        "0 where all are valid, else with 2",
    ),
    "plugins": Entry(
        BEFORE, "plugins", "Code of one's own: what has a short name, what may run here",
        ("xp plugins", "xp plugins --json"),
        "0",
    ),
    "plan": Entry(
        BEFORE, "plan", "What a spec takes by arm, what is reused, what it can detect",
        ("xp plan study.yaml", "xp plan study.yaml --jobs", "xp plan study.yaml --budget 8h",
         "xp plan study.yaml --diff --set train.epochs=20", "xp plan study.yaml --only sparse --only original",
         "xp plan study.yaml --power 2"),
        "0, or with 2 where the spec is wrong or its data cannot be used",
    ),
    "describe": Entry(
        BEFORE, "specs", "Show the layers of each arm, and what they cost",
        ("xp describe study.yaml", "xp describe study.yaml --json"),
        "0, or with 2 where the spec is wrong",
    ),
    "data": Entry(
        BEFORE, "data", "Images: data report, data preview, data fetch",
        inner={
            "report": Entry(
                BEFORE, "data", "Count classes, sizes and modes; name what is broken",
                ("xp data report images/", "xp data report images.zip"),
                "0, or with 2 where there are no images",
            ),
            "preview": Entry(
                BEFORE, "data", "Draw the augmented views of a spec",
                ("xp data preview study.yaml -o preview.png",),
                "0, or with 2 where the spec is wrong or images are missing",
            ),
            "fetch": Entry(
                BEFORE, "data", "Copy images from another machine, once",
                ("xp data fetch study.yaml", "xp data fetch study.yaml --set data.root=hf://datasets/LAB/SET/data"),
                "0 once they are here, or with 2 where the spec is wrong or they cannot be had",
            ),
        },
    ),
    "submit": Entry(
        RUN, "submit", "Queue what is missing, and see that it runs",
        ("xp submit study.yaml --wait", "xp submit study.yaml --set train.epochs=1 --as trial",
         "xp submit study.yaml --fill --budget 8h", "xp submit study.yaml --notify https://example.org/hook"),
        "0 once it is queued, or with 2 where the spec is wrong; with --wait 0 where all is done, 1 where a run failed,"
        " 3 where some cannot go on, 130 after Ctrl-C (the work goes on)",
    ),
    "worker": Entry(
        RUN, "jobs", "Be the scheduler, in the foreground",
        ("xp worker", "xp worker --until-idle", "xp worker --slots 2"),
        "130 after Ctrl-C (jobs that run go on), 2 where another scheduler works in this home; with --until-idle 0"
        " where one does, and when nothing is left to do",
    ),
    "cancel": Entry(
        RUN, "jobs", "Stop jobs for good",
        ("xp cancel study", "xp cancel study/sparse", "xp cancel study/sparse@0"),
        FOUND,
    ),
    "retry": Entry(
        RUN, "jobs", "Give failed and cancelled jobs a fresh chance",
        ("xp retry study", "xp retry study/sparse@0"),
        FOUND,
    ),
    "pause": Entry(
        RUN, "jobs", "Save and stop jobs until `xp resume`",
        ("xp pause study", "xp pause study/sparse"),
        FOUND,
    ),
    "resume": Entry(
        RUN, "jobs", "Let paused jobs go on from where they stopped",
        ("xp resume study",),
        FOUND,
    ),
    "search": Entry(
        RUN, "search", "Stop or extend a search: search stop, search extend",
        inner={
            "stop": Entry(
                RUN, "search", "Ask for no more trials",
                ("xp search stop study",),
                "0, or with 2 where nothing is searched under that name",
            ),
            "extend": Entry(
                RUN, "search", "Ask for more trials of each arm",
                ("xp search extend study --trials 80",),
                "0, or with 2 where nothing is searched under that name, or more were asked for",
            ),
        },
    ),
    "status": Entry(
        FOLLOW, "status", "What is done, what runs, how long it takes, what failed",
        ("xp status", "xp status study", "xp status study/sparse --all", "xp status study --watch", "xp status --json"),
        "0, or with 2 where a name is unknown",
    ),
    "logs": Entry(
        FOLLOW, "jobs", "Print the logs of jobs",
        ("xp logs study/sparse@0", "xp logs study -f"),
        FOUND,
    ),
    "slots": Entry(
        FOLLOW, "machines", "Which job runs on which node and GPU, what is shut out",
        ("xp slots", "xp slots --json"),
        "0",
    ),
    "why": Entry(
        FOLLOW, "jobs", "What an id is made of, why it ran or was reused",
        ("xp why study/sparse@0",),
        FOUND,
    ),
    "diff": Entry(
        FOLLOW, "jobs", "The settings in which two arms or runs differ",
        ("xp diff study/dense study/sparse", "xp diff study/sparse@0 study/sparse@1"),
        FOUND,
    ),
    "serve": Entry(
        FOLLOW, "serve", "Show all of it live in a browser",
        ("xp serve --open", "xp serve --port 0", "xp serve --host 0.0.0.0 --token auto"),
        "0 after Ctrl-C, or with 2 where it cannot listen or the extra `serve` is not installed",
    ),
    "ls": Entry(
        RESULTS, "listing", "What is here: experiments, runs, jobs",
        ("xp ls", "xp ls --tag paper", "xp ls quickstart --metric test_top1 --metric params",
         "xp ls quickstart --jobs --json"),
        FOUND,
    ),
    "sql": Entry(
        RESULTS, "results", "Ask the results anything",
        ("""xp sql "select arm, mean from cells where metric = 'test_top1'\"""",
         'xp sql "select * from results" --format csv > results.csv', "xp sql"),
        "0, or with 2 where the query is wrong or would write",
    ),
    "compare": Entry(
        RESULTS, "results", "Paired statistics between two arms",
        ("xp compare study/dense study/sparse", "xp compare study/dense study/sparse --metric val_loss"),
        "0, or with 2 where the two cannot be compared",
    ),
    "check": Entry(
        RESULTS, "results", "Hold the claims of a spec against the data",
        ("xp check study.yaml",),
        "0, with 4 where a claim is refuted, or with 2 where the spec is wrong",
    ),
    "trace": Entry(
        RESULTS, "results", "Lead a number back to where it comes from",
        ("xp trace study/sparse test_top1", "xp trace study/sparse@0 test_top1", "xp trace study/sparse params --diff"),
        "0, or with 2 where there is no such number",
    ),
    "history": Entry(
        RESULTS, "listing", "The submissions of an experiment, and what changed",
        ("xp history quickstart", "xp history quickstart --metric val_loss --json"),
        FOUND,
    ),
    "report": Entry(
        PAPER, "report", "Print tables and figures, every number traceable",
        ("xp report study", "xp report study other --format tex -o paper/tables", "xp report study --missing",
         "xp report study --against study.frozen.json"),
        "0, also where numbers are missing (the report says so), 4 where a number is not as in --against, or with 2 "
        "where nothing is called so",
    ),
    "freeze": Entry(
        PAPER, "results", "Write down every number as it is now",
        ("xp freeze study", "xp freeze study -o paper/numbers.json"),
        FOUND,
    ),
    "archive": Entry(
        PAPER, "archive", "Put experiments in one file that others can check",
        ("xp archive study -o study.zip", "xp archive study -o study.zip --weights", "xp archive verify study.zip",
         "xp archive verify study.zip --rerun 1"),
        "0; 1 where a file does not hold; 2 where it is asked wrongly; 3 where runs could not be done again here",
    ),
    "notebook": Entry(
        PAPER, "notebook", "Write notebooks to go on by hand",
        ("xp notebook study", "xp notebook study -o analysis"),
        FOUND,
    ),
    "export-to": Entry(
        PAPER, "exchange", "Write runs as MLflow, TensorBoard or W&B read them",
        ("xp export-to mlflow study -o mlruns", "xp export-to tensorboard study -o tb",
         "xp export-to wandb study -o exported"),
        "0, or with 2 where a name is unknown, or the folder holds something else",
    ),
    "import": Entry(
        RESULTS, "exchange", "Bring in runs of MLflow, W&B, TensorBoard, Neptune",
        ("xp import mlflow mlruns", "xp import mlflow mlflow.db --experiment cifar --map val_acc=val_top1",
         "xp import wandb wandb --arm group", "xp import tensorboard runs --as baselines",
         "xp import neptune exports/data"),
        "0, or with 2 where there is nothing of that kind, or a name is taken; runs that are left out are told",
    ),
    "export": Entry(
        NETWORKS, "export", "Write a trained network as a file",
        ("xp export study/sparse@0", "xp export study/sparse --format safetensors -o networks"),
        "0, or with 2 where there is no such network, or the file does not answer as it does",
    ),
    "predict": Entry(
        NETWORKS, "export", "Say what a network sees in photographs",
        ("xp predict study/sparse@0 photo.jpg", "xp predict network.onnx *.jpg --top 1"),
        "0; 1 where an image could not be read; 2 where there is no such network",
    ),
    "bench": Entry(
        NETWORKS, "bench", "Time networks against each other on this machine",
        ("xp bench study/dense@0 study/sparse@0", "xp bench dense.onnx sparse.onnx --threads 1,2"),
        "0, or with 2 where there is no such network",
    ),
    "profile": Entry(
        NETWORKS, "profile", "Say where the time of a training step goes",
        ("xp profile study.yaml --arm sparse", "xp profile study/sparse@0 -o step.svg"),
        "0, or with 2 where there is no such training",
    ),
    "du": Entry(
        KEEP, "keep", "What takes how much of the disk",
        ("xp du", "xp du --json"),
        "0",
    ),
    "costs": Entry(
        KEEP, "machines", "GPU-hours and CPU-hours by experiment and user",
        ("xp costs", "xp costs --json"),
        "0",
    ),
    "rm": Entry(
        KEEP, "keep", "Remove an experiment or an arm",
        ("xp rm trial --dry-run", "xp rm trial --yes", "xp rm quickstart/sparse"),
        "0; 1 where a person said no; 2 where there is no such thing, or frozen numbers or an archive rest on it",
    ),
    "gc": Entry(
        KEEP, "keep", "Take away what nothing needs",
        ("xp gc --dry-run", "xp gc --older 30d", "xp gc --history --keep-checkpoints 1", "xp gc --empty-trash"),
        "0, or with 2 where a damaged file hides what is needed: then nothing goes",
    ),
    "undo": Entry(
        KEEP, "keep", "Bring back what was removed, for a day",
        ("xp undo --list", "xp undo", "xp undo 3f9c"),
        "0; 1 where something could not come back, as another has its name by now; 2 where there is nothing to bring"
        " back",
    ),
    "tag": Entry(
        KEEP, "listing", "Show, add or take away tags of an experiment",
        ("xp tag quickstart", "xp tag quickstart paper draft-2", "xp tag quickstart --remove draft-2"),
        "0, or with 2 where a name is unknown or a word is no tag",
    ),
    "note": Entry(
        KEEP, "listing", "Show or write the note of an experiment",
        ("xp note quickstart", 'xp note quickstart "the seeds of the rebuttal"'),
        FOUND,
    ),
    "doctor": Entry(
        HOME, "jobs", "Say what is here, and what is wrong with it",
        ("xp doctor", "xp doctor --deep"),
        "0 where all is well, else with 1",
    ),
    "rebuild": Entry(
        HOME, "results", "Make the results again from the job folders",
        ("xp rebuild", "xp rebuild --queue"),
        "0; 1 where some files are damaged and left out",
    ),
    "verify-resume": Entry(
        HOME, "verify", "Kill a training, and see whether its bits are the same",
        ("xp verify-resume study.yaml", "xp verify-resume study.yaml --kills 10"),
        "0 where the weights are the same to the bit, else with 1; with 2 where the spec is wrong",
    ),
    "targets": Entry(
        HOME, "targets", "Look after cached teacher targets: targets verify",
        inner={
            "verify": Entry(
                HOME, "targets", "Ask the teacher again about a sample",
                ("xp targets verify study", "xp targets verify study --samples 1000"),
                "0 where all is right, 1 where some are not, 2 where there are none",
            ),
        },
    ),
}  # fmt: skip
