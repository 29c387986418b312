"""Who has seen what, before anything runs: takes a drawn run, refuses one that would be tested on images it has learnt.

The jobs of a plan come from the run's own split and cannot have seen its test part; what can are weights files, and the
files that a run which is taken over began from.
"""

from __future__ import annotations

import re
from functools import partial

from engine.inputs.ancestors import Ancestors, JobWords
from engine.inputs.image_keys import split_text
from engine.inputs.leaks import judge_lineage
from engine.plan.draft import Draft, RunDraft
from engine.spec.job_kinds import final_network

ASSISTANT = re.compile(r"assistant_(\d+)")


def check_lineage(run: RunDraft) -> None:
    """Raise LeakError for a run whose network, or whoever it comes from, has learnt some of its test images.

    What is worth a warning is noted in the draft.
    """
    context, data = run.context, run.context.settings.data
    draft, pack = context.draft, run.jobs["pack"]
    if draft.ancestors is None:
        draft.ancestors = Ancestors(draft.home, partial(_planned_words, draft), draft.digest)
    own = pack, split_text(data)
    lineage = draft.ancestors.of_job(final_network(run.jobs), _spots(run), own)
    if not (lineage.exposures or lineage.unknown):
        return
    parts = draft.ancestors.book.parts(pack, data) if context.content is not None else None
    refusal, warnings = judge_lineage(lineage, parts)
    draft.warnings |= dict.fromkeys(warnings)
    if refusal is not None:
        raise refusal


def _planned_words(draft: Draft, job: str) -> JobWords | None:
    planned = draft.jobs.get(job)
    if planned is None:
        return None
    details = planned.details.model_dump(mode="json")
    return JobWords(planned.kind, planned.needs, planned.canonical["settings"], details, is_planned=True)


def _spots(run: RunDraft) -> dict[str, str]:
    """Return the words of the spec that each network of a run is under, by job; a job in two roles by its first."""
    jobs, spots = run.jobs, dict[str, str]()
    teacher = run.context.settings.teacher
    named = f"teacher.run {teacher.run}" if teacher is not None and teacher.run else "teacher"
    words = dict.fromkeys(("student", "prune", "quantize"), "student")
    words |= {"teacher": named, "teacher_targets": "teacher"}
    words |= dict.fromkeys(("reference_teacher", "reference"), "distill.temperature.reference")
    words |= {role: f"teacher.assistants.{int(found[1]) - 1}" for role in jobs if (found := ASSISTANT.fullmatch(role))}
    # With assistants, the student's own targets are of the last one, which is a job with a role.
    words["targets"] = "teacher"
    for role, word in words.items():
        if role in jobs:
            spots.setdefault(jobs[role], word)
    return spots
