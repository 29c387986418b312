"""Orders by clicking: takes a form that was sent, does what the command of that name does, gives what it came to."""

from __future__ import annotations

from engine.schedule.lookup import find_match
from engine.schedule.orders import ORDERS, explain_nothing, give_order
from engine.serve.view import Action, Answer, Asked


def order(asked: Asked) -> Answer:
    """Give the order of ORDERS that the path names to what the word `id` stands for. Raises XpError."""
    verb = asked.path["verb"]
    match = find_match(asked.home, asked.word("id"))
    jobs = give_order(asked.home, verb, match)
    if not jobs:
        return Answer(f"{verb}: nothing changed: {explain_nothing(asked.home, verb, match)}", is_good=False)
    return Answer(f"{verb}: {len(jobs)} {'job' if len(jobs) == 1 else 'jobs'} of {match.name}")


ACTIONS: dict[str, Action] = {f"/order/{verb}": order for verb in ORDERS}
