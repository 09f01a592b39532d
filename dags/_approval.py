"""A run that asks a person before it goes on: the question is under *Required Actions* in Airflow.

No DAG: `.airflowignore` names it. Imported only by DAGs that ask.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.hitl import HITLOperator

from dags._tasks import (
    APPROVAL,
    APPROVED,
    RELOAD,
    error_kept,
    lake,
    loader_dsn,
    postgres_dsn,
)
from include.errors import PermanentError
from include.sources.model import Contract

# Words that Airflow's pages know.
APPROVE, REJECT = "Approve", "Reject"
# A run of another type was not started by a person.
BY_PEOPLE = ("manual", "backfill")


class Approval(HITLOperator):
    """Asks, and waits without a worker. Fails if the answer is no, or if there is none in time.

    `ask` returns what a person must know, as Markdown, or None if there is nothing to
    approve; `otherwise` is what a refusal means, as a sentence.
    """

    def __init__(
        self,
        *,
        ask: Callable[[Any], str | None],
        otherwise: str,
        hours: float,
        **options: Any,
    ) -> None:
        super().__init__(
            task_id=APPROVAL,
            options=[APPROVE, REJECT],
            defaults=REJECT,
            response_timeout=timedelta(hours=hours),
            **options,
        )
        self._ask, self._otherwise, self._hours = ask, otherwise, hours

    def execute(self, context: Any) -> Any:
        """Ask, unless there is nothing to approve."""
        with error_kept(context["ti"]):
            self.body = self._ask(context)
        if self.body is None:
            self.log.info("Nothing to approve.")
            return None
        self.log.info("%s", self.body)
        return super().execute(context)

    def execute_complete(self, context: Any, event: dict[str, Any]) -> str:
        """Go on if it was approved; returns by whom. Else raise `PermanentError`."""
        with error_kept(context["ti"]):
            answer = super().execute_complete(context, event)
            user = answer["responded_by_user"]
            if answer["chosen_options"] == [APPROVE] and user:
                self.log.info("Approved by %s.", user["name"])
                return str(user["name"])
            why = (
                f"{user['name']} rejected it"
                if user
                else f"nobody answered within {self._hours:g} hours, which means no"
            )
            raise PermanentError(
                f"{context['ti'].dag_id}: {why}. {self._otherwise} To ask again, clear the task "
                f"`{APPROVAL}`."
            )


def approval_to_publish(hours: float, connection: str, publisher: str) -> Approval:
    """Asks before a publication that would change something, with what it would change."""

    def ask(context: Any) -> str | None:
        from include.jobs.pipeline.transform import propose_publication

        found = propose_publication(
            dsn=postgres_dsn(connection),
            publisher_dsn=postgres_dsn(publisher),
            lake=lake(),
            run_id=context["ti"].run_id,
        )
        context["ti"].xcom_push(APPROVED, found.version if found else "")
        return found.markdown if found else None

    return Approval(
        ask=ask,
        subject="Publish the open data and the dashboard?",
        otherwise="Nothing was published; readers keep the version that they have.",
        hours=hours,
        trigger_rule="all_done",
    )


def approval_to_replace(contract: Contract, hours: float) -> Approval:
    """Asks before a run of a person replaces more rows than `approval` in the contract allows."""

    def ask(context: Any) -> str | None:
        from include.jobs.dry_run.replacement import question

        ti = context["ti"]
        if context["dag_run"].run_type not in BY_PEOPLE:
            return None
        planned = ti.xcom_pull(task_ids="plan")
        return question(
            contract,
            [contract.partition(**place) for place in planned],
            lake=lake(),
            dsn=loader_dsn(),
            reload=context["params"]["mode"] == RELOAD,
        )

    return Approval(
        ask=ask,
        subject=f"Replace rows of raw.{contract.name}?",
        otherwise="Nothing was fetched or replaced.",
        hours=hours,
    )
