"""What the process of an attempt exits with: one list for jobs, for those who start them and for who judges the end."""

from __future__ import annotations

import os
from enum import IntEnum


class Exit(IntEnum):
    """Every other number, and a signal, tells that the process ended in a way nobody planned."""

    DONE = 0  # committed, or another attempt was first
    CRASHED = 1  # its traceback stands in the log
    TAKEN = os.EX_TEMPFAIL  # 75: the attempt's folder was there already: another process is that attempt
    STOPPED = 85  # asked to stop; a checkpoint is there
    OUT_OF_MEMORY = 86  # the next attempt may take less
    NOT_FINITE = 87
    FAILED = 88  # for good: the same again would end the same way
    NO_MEMORY = 89  # out of memory, and there is nothing smaller to try
    LACKING = 90  # the machine ran out of room or files, which is no fault of the job (shortages.py)
