"""Orders by clicking: takes a form that was sent, does what the command of that name does, gives what it came to.

An order is in the queue when its answer comes; what it stops may take its time, and the pages show when it has ended.
"""

from __future__ import annotations

from engine.errors import XpError
from engine.home.paths import Home
from engine.schedule.lookup import find_match
from engine.schedule.orders import (
    ORDERS,
    change_priority,
    explain_nothing,
    extend_trials,
    give_order,
    retry_slot,
    running_jobs,
    stop_trials,
)
from engine.serve.pages.sql import cancel_query
from engine.serve.view import Action, Answer, Asked
from engine.spec.search import MOST_TRIALS
from store.amounts import counted

STOPPING = ("cancel", "pause")
MOST_PRIORITY = 1_000_000
TOLD = 5  # of several that were chosen: so many are told one by one


def order(asked: Asked) -> Answer:
    """Give the order of ORDERS that the path names to everything that the words `id` stand for.

    Of several, each is done whatever the others come to; the answer is good where any job changed.
    """
    verb, names = asked.path["verb"], list(dict.fromkeys(name for name in asked.all("id") if name))
    if not names:
        return Answer(f"{verb}: nothing is chosen", is_good=False)
    if len(names) == 1:
        return _order_one(asked.home, verb, names[0])
    told = [_try_one(asked.home, verb, name) for name in names]
    good, bad = [one.text for one in told if one.is_good], [one.text for one in told if not one.is_good]
    text = "\n".join([*good[:TOLD], *bad[:TOLD]])
    rest = len(told) - len(good[:TOLD]) - len(bad[:TOLD])
    return Answer(f"{text}\nand {rest} more" if rest else text, is_good=bool(good))


def _try_one(home: Home, verb: str, name: str) -> Answer:
    try:
        return _order_one(home, verb, name)
    except XpError as error:
        return Answer(str(error), is_good=False)


def _order_one(home: Home, verb: str, name: str) -> Answer:
    match = find_match(home, name)
    try:
        jobs = give_order(home, verb, match, waits=False)
    except OSError as error:  # a folder that is gone, a full disk
        what = f"{verb}: the queue may have the order, but it could not be written down: {error}"
        raise XpError(what, fix="xp doctor tells what is wrong with this home") from error
    if not jobs:
        return Answer(f"{verb}: nothing changed: {explain_nothing(home, verb, match)}", is_good=False)
    text = f"{verb}: {counted(len(jobs), 'job')} of {match.name}"
    ending = len(running_jobs(home, jobs)) if verb in STOPPING else 0
    return Answer(f"{text}; {counted(ending, 'job')} asked to stop, which may take some seconds" if ending else text)


def order_priority(asked: Asked) -> Answer:
    """Give the experiment `id` the priority `number`, as `xp submit --priority` would. Raises XpError."""
    name = asked.word("id")
    number = _whole_number(asked, "a priority", -MOST_PRIORITY, MOST_PRIORITY, fix="such as 0, 10 or -1")
    change_priority(asked.home, name, number)
    return Answer(f"priority: {name} has {number} now; what runs goes on")


def _whole_number(asked: Asked, what: str, least: int, most: int, fix: str) -> int:
    text = asked.word("number").strip()
    try:
        number = int(text)
    except ValueError:
        raise XpError(f"{what} is a whole number, and not {text[:40]!r}", fix=fix) from None
    if not least <= number <= most:
        raise XpError(f"{what} is between {least:,} and {most:,}", fix=fix)
    return number


def order_slot(asked: Asked) -> Answer:
    """Let jobs go to the shut-out slot `id` again. Raises XpError."""
    name = asked.word("id")
    mark = retry_slot(asked.home, name)
    if mark is None:
        raise XpError(f"slot {name!r} is not shut out on this machine", fix="xp status names those that are")
    return Answer(f"retry: jobs go to slot {mark.slot} again, which was shut out: {mark.reason}")


def order_stop(asked: Asked) -> Answer:
    """Ask for no more trials of the searched experiment `id`, as `xp search stop` does. Raises XpError."""
    name = asked.word("id")
    stop_trials(asked.home, name)
    return Answer(f"search: no more trials of {name} are asked for; those that are open end")


def order_extension(asked: Asked) -> Answer:
    """Go on with the search of `id` until each arm has `number` trials, as `xp search extend` does. Raises XpError."""
    name = asked.word("id")
    number = _whole_number(asked, "a number of trials", 1, MOST_TRIALS, fix="those that were tried count too")
    extend_trials(asked.home, name, number)
    return Answer(f"search: up to {counted(number, 'trial')} of each arm of {name}")


ACTIONS: dict[str, Action] = {
    **{f"/order/{verb}": order for verb in ORDERS},
    "/order/priority": order_priority,
    "/order/slot": order_slot,
    "/order/search-stop": order_stop,
    "/order/search-extend": order_extension,
    "/sql/cancel": cancel_query,
}
