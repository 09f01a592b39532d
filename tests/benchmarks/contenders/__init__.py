"""Ways to get a partition's records into PostgreSQL, each in a module of its own.

A module has `ready(task)`, which imports what it needs, makes its clients and
returns what is measured: a call that loads the records and commits them.
"""

from __future__ import annotations

from dataclasses import dataclass

# Where those make their tables that do not take the raw table as it is.
SCHEMA = "bench"


@dataclass(frozen=True)
class Task:
    """What a contender loads: a landing in S3, or the same rows made ready beforehand.

    The files `csv` and `arrow` hold them typed, in the raw table's columns;
    `api` answers for the one that fetches. Settings come from `WANDLE_HOME`.
    """

    contender: str
    contract: str
    council: str
    period: str
    landing_id: str = ""
    csv: str = ""
    arrow: str = ""
    api: str = ""
