"""Which lines count: of the committed, else newest attempt and of those it went on from, each exactly once."""

from __future__ import annotations

from engine.collect import collect, rebuild
from tests.collect.reading import export_rows, log_steps, read_rows, read_steps
from tests.helpers.synthetic import SyntheticHome


def test_values_redone_after_a_resume_count_once(made: SyntheticHome) -> None:
    job = made.job("train-a", "train")
    first, journal = made.attempt(job, 1)
    log_steps(journal, 1, 2, 3, 4)
    journal.close()
    made.outcome(first, "lost")
    collect(made.home)
    assert read_steps(made.home, job) == [1, 2, 3, 4]
    second, journal = made.attempt(job, 2)
    journal.resumed(1, 2, 2)
    log_steps(journal, 3)
    collect(made.home)
    assert read_steps(made.home, job) == [1, 2, 3]
    log_steps(journal, 4, 5)
    journal.close()
    made.finish(job, second)
    collect(made.home)
    assert read_steps(made.home, job) == [1, 2, 3, 4, 5]
    assert read_rows(made.home, "select attempt, count(*) from metrics group by attempt order by attempt") == [
        (1, 2),
        (2, 3),
    ]


def test_resume_without_a_line_number_cuts_after_its_step(made: SyntheticHome) -> None:
    job = made.job("train-a", "train")
    _, journal = made.attempt(job, 1)
    log_steps(journal, 1, 2, 3, 4)
    journal.teacher("val", "top1", 0.1)
    journal.close()
    _, journal = made.attempt(job, 2)
    journal.resumed(1, 2)
    log_steps(journal, 3)
    journal.close()
    collect(made.home)
    assert read_steps(made.home, job) == [1, 2, 3]
    assert read_rows(made.home, "from teachers") == []


def test_attempt_that_starts_over_hides_the_one_before(made: SyntheticHome) -> None:
    job = made.job("train-a", "train")
    _, journal = made.attempt(job, 1)
    log_steps(journal, 1, 2, 3)
    journal.close()
    _, journal = made.attempt(job, 2)
    collect(made.home)
    assert read_steps(made.home, job) == [1, 2, 3]
    log_steps(journal, 1)
    journal.close()
    collect(made.home)
    assert read_steps(made.home, job) == [1]


def test_zombie_that_commits_first_is_the_one_that_counts(made: SyntheticHome) -> None:
    job = made.job("train-a", "train")
    first, old = made.attempt(job, 1)
    log_steps(old, 1, 2)
    _, new = made.attempt(job, 2)
    new.resumed(1, 1, 1)
    log_steps(new, 2, 30)
    collect(made.home)
    assert read_steps(made.home, job) == [1, 2, 30]
    log_steps(old, 3)
    made.finish(job, first)
    collect(made.home)
    assert read_steps(made.home, job) == [1, 2, 3]
    log_steps(new, 40)
    collect(made.home)
    assert read_steps(made.home, job) == [1, 2, 3]
    before = export_rows(made.home)
    rebuild(made.home)
    assert export_rows(made.home) == before
    old.close()
    new.close()


def test_zombie_lines_after_the_cut_never_show(made: SyntheticHome) -> None:
    job = made.job("train-a", "train")
    _, old = made.attempt(job, 1)
    log_steps(old, 1, 2, 3)
    second, new = made.attempt(job, 2)
    new.resumed(1, 2, 2)
    log_steps(new, 3, 4)
    log_steps(old, 4, 5, 6)
    collect(made.home)
    assert read_steps(made.home, job) == [1, 2, 3, 4]
    made.finish(job, second)
    log_steps(old, 7)
    collect(made.home)
    assert read_steps(made.home, job) == [1, 2, 3, 4]
    old.close()
    new.close()


def test_chain_of_three_attempts_is_cut_twice(made: SyntheticHome) -> None:
    job = made.job("train-a", "train")
    for number, (source, steps) in enumerate([(None, (1, 2, 3)), ((1, 2, 2), (30, 40, 50)), ((2, 30, 2), (400,))], 1):
        _, journal = made.attempt(job, number)
        if source:
            journal.resumed(*source)
        log_steps(journal, *steps)
        journal.close()
    collect(made.home)
    assert read_steps(made.home, job) == [1, 2, 30, 400]
