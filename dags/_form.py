"""The form of a source's DAG: what a person may ask of a run, and what is refused.

No DAG: `.airflowignore` names it.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import Param

from dags._tasks import DRY_RUN, FETCH, RELOAD, refuse_unknown_parameters
from dags._texts import default_period
from include.councils.model import UK, council_titles
from include.errors import PermanentError
from include.sources.model import Contract
from include.sources.partition import FORMS, grain_label


def form(contract: Contract) -> dict[str, Param]:
    known = {UK: "whole UK"}
    if contract.councils == "each":
        known = council_titles()
    written, example, pattern = FORMS[contract.period]
    label = grain_label(contract.period)
    period = {"type": ["null", "string"], "pattern": pattern}
    return {
        "councils": Param(
            list(known),
            title="Councils",
            description="Councils to process.",
            type="array",
            items={"type": "string", "enum": list(known)},
            minItems=1,
            uniqueItems=True,
            examples=list(known),
            values_display=known,
        ),
        "from": Param(
            None,
            title="From",
            description=f"First {label}, as {written}, e.g. {example}. {default_period(contract)}",
            **period,
        ),
        "to": Param(
            None,
            title="To",
            description=f"Last {label}, inclusive. Default: same as From.",
            **period,
        ),
        "mode": Param(
            FETCH,
            title="Mode",
            description="Where to read the data.",
            type="string",
            enum=[FETCH, RELOAD],
            values_display={
                FETCH: "Fetch from the API, then load",
                RELOAD: "Reload the newest landing from S3, without calling the API",
            },
        ),
        "force": Param(
            False,
            title="Force",
            description="Load even if nothing changed or a check of the partition fails. Record "
            "counts must still balance. The ledger records who forced the load.",
            type="boolean",
        ),
        DRY_RUN: Param(
            False,
            title="Dry run",
            description="Only show what the run would do: the log of the task `plan`, and its "
            "XCom `dry_run`, list each partition, whether it is loaded already, and how many "
            "requests it costs. Nothing is requested, landed or loaded.",
            type="boolean",
        ),
    }


def refuse_misread_form(contract: Contract, dag_run: Any) -> None:
    """Reject what Airflow accepts: unknown parameters, and `from` or `to` in a backfill."""
    refuse_unknown_parameters(dag_run, form(contract))
    asked = dag_run.conf or {}
    if dag_run.run_type == "backfill" and (asked.get("from") or asked.get("to")):
        raise PermanentError(
            f"{dag_run.dag_id}: `from` or `to` is set, but a backfill run covers its own "
            f"{grain_label(contract.period)}. Start the backfill again with both empty."
        )
