"""The scheduler process: the one loop that leases, launches, watches and collects; one for each home.

lock      one scheduler per home; whether one lives; starting one that outlives its starter
attempts  what an attempt's folder tells: heartbeat, newest checkpoint, last words
loop      class Scheduler: one turn of the loop
ready    which jobs are ready, as far as it is known
endings  what follows from how an attempt ended
tracks   what is known of one attempt that runs; how long it waits for what
gpu_watch  which GPUs get no more jobs, by how attempts end on them
publish   collecting into the results beside the loop
searching  open searches, looked at by a child when trials end
tell      who is told of an experiment's end
rebuild   the queue made anew from experiments/ and jobs/
vanish    a home that is deleted while it is worked on, or goes away for a while
serve     run_worker: lock, loop, and the last look before leaving
"""

from __future__ import annotations

from engine.schedule.worker.lock import scheduler_alive, start_detached
from engine.schedule.worker.rebuild import list_damage, rebuild_queue
from engine.schedule.worker.serve import run_worker
from engine.schedule.worker.tracks import Patience

__all__ = ["Patience", "list_damage", "rebuild_queue", "run_worker", "scheduler_alive", "start_detached"]
