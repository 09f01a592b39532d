"""What the DAG of a source says about itself."""

from __future__ import annotations

from include.sources.extract.landing import LandingExtract
from include.sources.model import Contract
from include.sources.partition import FORMS, grain_label


def origin(contract: Contract) -> str:
    """Where the data come from."""
    if isinstance(contract.extract, LandingExtract):
        return f"landings of {contract.extract.source}"
    return "API" if contract.extract.kind == "http" else contract.extract.kind


def documentation(contract: Contract) -> str:
    """What the Airflow UI says about the DAG. Markdown."""
    label = grain_label(contract.period)
    parents = sorted({parent.source for parent in contract.extract.parents.values()})
    return f"""\
### {contract.title}

{contract.description.strip()}

| | |
|---|---|
| Publisher | {contract.publisher} |
| Licence | {contract.licence} |
| Table | `raw.{contract.name}` |
| Key | {", ".join(f"`{name}`" for name in contract.key) or "none"} |
| Partition | one council, {_one(contract)} |
| Data since | {contract.start} |
| Depends on | {", ".join(f"`{name}`" for name in parents) or "nothing"} |
| Lookback | {contract.lookback} {label}s in each scheduled run{_monthly(contract)} |

{_ways_to_run(contract)}
`mode` *reload* loads the newest landing from S3 instead of calling the API. `force` loads even if
nothing changed or a check fails.

A new environment starts with this DAG paused. A run that is triggered stays queued until the DAG is
unpaused.
"""


def default_period(contract: Contract) -> str:
    """What a run covers without `from`."""
    if isinstance(contract.extract, LandingExtract):
        return f"Default: all that {contract.extract.source} has landed and was not read."
    return (
        "Default: the run's data interval. Leave empty in a backfill: it has its own dates, both "
        "included."
    )


def _one(contract: Contract) -> str:
    return "all periods" if contract.period == "all" else f"one {grain_label(contract.period)}"


def _ways_to_run(contract: Contract) -> str:
    if isinstance(contract.extract, LandingExtract):
        return (
            f"A run starts when `{contract.extract.source}` has landed something, and reads all "
            "that it has landed and this source has not read. **Trigger** does the same, or reads "
            "the periods `from` to `to` again. There are no backfills: trigger instead."
        )
    if contract.period == "all":
        return (
            "**Trigger** fetches and loads the whole table of the selected councils, with `from` "
            "and `to` empty. **Backfill** does the same, in one run."
        )
    written, example, _ = FORMS[contract.period]
    label = grain_label(contract.period)
    return (
        f"**Trigger** fetches and loads the selected councils and the {label}s `from` to `to` "
        f"({written}, e.g. `{example}`). **Backfill** covers each {label} in its date range once, "
        f"first and last included, up to the newest {label} that the schedule has reached."
    )


def _monthly(contract: Contract) -> str:
    if not contract.lookback_monthly:
        return ""
    return f", {contract.lookback_monthly} on the first day of a month"
