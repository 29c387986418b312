"""Jobs on other machines of a shared file system: a pilot sits on each, takes orders and tells through files alone.

An engine (Slurm, Ray) starts pilots and gives them their time; which job runs where is the one scheduler's business,
as on one machine. A pilot has the fork server with the heavy imports done, so a job costs there what it costs here.

    folder    a pilot's files: orders.jsonl, told.jsonl, beat.json, one writer each
    messages  what is written into them
    pilot     the process on a node; `python -P -m engine.launch.pilots.pilot`
    view      one pilot as the scheduler sees it
    fleet     all of them behind the launcher's face; what an engine has to be able to do
    keeper    what stands above a pilot where an engine does not clear up after it
    profile   what a site wants to be asked for: [slurm] and [ray] in xp.toml
"""
