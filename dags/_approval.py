"""A run that asks a person first: the question is under *Required Actions* in Airflow.

No DAG: `.airflowignore` names it. Imported only by DAGs that ask.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from operator import eq
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
BY_PEOPLE = ("manual", "backfill", "asset_materialization")
# What a person was shown, and until when they may answer.
QUESTION, UNTIL = "question", "until"


class Approval(HITLOperator):
    """Asks, and waits without a worker. Fails if the answer is no, or if there is none in time.

    `ask` returns what a person must know, as Markdown, or None if there is nothing to
    approve; `otherwise` is what a refusal means, as a sentence. `covers` says whether who
    approves the first of two such texts approves the second, too. With `ask_again`, that is
    looked at again when it was approved.
    """

    def __init__(
        self,
        *,
        ask: Callable[[Any], str | None],
        otherwise: str,
        hours: float,
        covers: Callable[[str, str], bool] = eq,
        ask_again: bool = False,
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
        self._covers, self._ask_again = covers, ask_again

    def execute(self, context: Any) -> Any:
        """Ask, unless there is nothing to approve."""
        ti = context["ti"]
        with error_kept(ti):
            self.body = self._ask(context)
            if self.body is None:
                self.log.info("Nothing to approve.")
                return None
            self.log.info("%s", self.body)
            shown = self._shown(ti.id)
            if not self._covers(shown, self.body):
                raise PermanentError(
                    f"{ti.dag_id}: what there is to approve has changed since the task "
                    f"`{APPROVAL}` of this run asked first, and Airflow would show that question "
                    f"again. {self._otherwise} Start a new run to be asked."
                )
        if self._ask_again:
            ti.xcom_push(QUESTION, shown)
        ti.xcom_push(UNTIL, (datetime.now(UTC) + timedelta(hours=self._hours)).isoformat())
        return super().execute(context)

    def _shown(self, ti_id: Any) -> str:
        """What Airflow shows: of a task that was cleared, the first question that it ever asked.

        https://github.com/apache/airflow/pull/73235
        """
        from airflow.sdk.execution_time.comms import CreateHITLDetailPayload
        from airflow.sdk.execution_time.task_runner import SUPERVISOR_COMMS

        kept: Any = SUPERVISOR_COMMS.send(
            CreateHITLDetailPayload(
                ti_id=ti_id,
                options=self.options,
                subject=self.subject,
                body=self.body,
                defaults=self.defaults,
                multiple=False,
                params={},
                assigned_users=[],
            )
        )
        return str(kept.body)

    def execute_complete(self, context: Any, event: dict[str, Any]) -> str:
        """Go on if it was approved; returns by whom. Else raise `PermanentError`."""
        with error_kept(context["ti"]):
            answer = super().execute_complete(context, event)
            user = answer["responded_by_user"]
            if why := self._why_not(context, answer):
                raise PermanentError(
                    f"{context['ti'].dag_id}: {why}. {self._otherwise} To ask again, clear the "
                    f"task `{APPROVAL}`; if the data have changed since, start a new run."
                )
        self.log.info("Approved by %s.", user["name"])
        return str(user["name"])

    def _why_not(self, context: Any, answer: Any) -> str:
        """Why the run does not continue; empty if it does."""
        ti, user = context["ti"], answer["responded_by_user"]
        within = f"within {self._hours:g} hours, which means no"
        if not user:
            return f"nobody answered {within}"
        name = user["name"]
        if answer["chosen_options"] != [APPROVE]:
            return f"{name} rejected it"
        # The scheduler, which ends the wait, may have been down.
        until = ti.xcom_pull(task_ids=ti.task_id, key=UNTIL)
        if until and answer["responded_at"] > datetime.fromisoformat(until):
            return f"{name} approved it too late, and nobody {within}"
        now = self._ask(context) if self._ask_again else None
        if now is None or self._covers(ti.xcom_pull(task_ids=ti.task_id, key=QUESTION), now):
            return ""
        self.log.info("%s", now)
        return f"more would change now than {name} approved"


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
    from include.jobs.dry_run.replacement import rows_in

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
        covers=lambda shown, now: rows_in(now) <= rows_in(shown),
        ask_again=True,
    )
