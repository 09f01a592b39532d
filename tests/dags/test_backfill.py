"""Airflow's own backfill: which runs it makes, and what `plan` makes of them and of other runs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from include.councils.model import councils
from include.errors import PermanentError

CRIME = "ingest_police_street_crime"
WARDS = "ingest_police_ward_boundaries"
WEATHER = "ingest_weather_hourly"
COUNCILS = list(councils())


@pytest.fixture
def backfill(metadata):
    """Create a backfill as the UI, the command line and the API do; returns its runs."""
    from airflow._shared.timezones import timezone
    from airflow.models.backfill import ReprocessBehavior, _create_backfill
    from airflow.models.dagrun import DagRun
    from sqlalchemy import delete, select, update

    def create(
        first: str,
        last: str,
        conf: dict[str, Any],
        behavior: str = "completed",
        dag_id: str = CRIME,
    ) -> list[Any]:
        from airflow.models.backfill import Backfill

        made = _create_backfill(
            dag_id=dag_id,
            from_date=timezone.parse(first),
            to_date=timezone.parse(last),
            max_active_runs=4,
            reverse=False,
            dag_run_conf=conf,
            triggering_user_name="ada",
            reprocess_behavior=ReprocessBehavior(behavior),
        )
        with metadata() as session:
            runs = session.scalars(
                select(DagRun).where(DagRun.backfill_id == made.id).order_by(DagRun.logical_date)
            ).all()
            session.expunge_all()
            # As the scheduler does when all is done.
            session.execute(update(DagRun).values(state="success"))
            session.execute(update(Backfill).values(completed_at=datetime.now(UTC)))
        return list(runs)

    yield create
    with metadata() as session:
        session.execute(delete(DagRun))


@pytest.fixture
def plan(dag_bag, services):
    """Run the task `plan` for a run; it asks the warehouse what was removed."""

    def call(run: Any, dag_id: str = CRIME) -> list[tuple[str, str]]:
        dag = dag_bag.get_dag(dag_id)
        params = {**dag.params.dump(), **(run.conf or {})}
        task = dag.get_task("plan")
        ti = SimpleNamespace(xcom_push=lambda key, value: None)
        found = task.python_callable(**task.op_kwargs, params=params, dag_run=run, ti=ti)
        return [(item["council"], item["period"]) for item in found]

    return call


def run_of(kind: str, start: str | None = None, end: str | None = None, **conf: Any) -> Any:
    return SimpleNamespace(
        dag_id=CRIME,
        run_type=kind,
        conf=conf,
        data_interval_start=start and datetime.fromisoformat(f"{start}+00:00"),
        data_interval_end=end and datetime.fromisoformat(f"{end}+00:00"),
    )


def test_a_backfill_makes_one_run_a_month_and_each_plans_only_its_own_month(backfill, plan):
    runs = backfill("2017-01-01", "2017-12-31", {"councils": ["sutton"]})

    months = [f"2017-{month:02}" for month in range(1, 13)]
    assert [plan(run) for run in runs] == [[("sutton", month)] for month in months]


def test_a_backfill_of_one_month_is_one_run(backfill, plan):
    runs = backfill("2017-05-01", "2017-05-31", {})

    assert [plan(run) for run in runs] == [[(name, "2017-05") for name in COUNCILS]]


# As the command line and the API write a date, as the UI does in UTC and in London's summer time.
@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("2026-07-10", "2026-07-20"),
        ("2026-07-10T00:00:00.000Z", "2026-07-20T23:59:59.999Z"),
        ("2026-07-09T23:00:00.000Z", "2026-07-20T22:59:59.999Z"),
        ("2026-07-10T12:00:00Z", "2026-07-20T03:00:00Z"),
    ],
)
def test_a_backfill_of_days_includes_the_first_and_the_last(backfill, plan, first, last):
    runs = backfill(first, last, {"councils": ["sutton"]}, dag_id=WEATHER)

    days = [f"2026-07-{day}" for day in range(10, 21)]
    assert [plan(run, WEATHER) for run in runs] == [[("sutton", day)] for day in days]


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("2017-05-01", "2017-07-01"),
        ("2017-05-31", "2017-07-31"),
        ("2017-05-01T00:00:00.000Z", "2017-07-31T23:59:59.999Z"),
        ("2017-04-30T23:00:00.000Z", "2017-07-31T22:59:59.999Z"),
    ],
)
def test_a_backfill_of_months_includes_the_first_and_the_last(backfill, plan, first, last):
    runs = backfill(first, last, {"councils": ["sutton"]})

    months = ["2017-05", "2017-06", "2017-07"]
    assert [plan(run) for run in runs] == [[("sutton", month)] for month in months]


def test_a_backfill_of_one_day_is_one_run(backfill, plan):
    (run,) = backfill("2026-07-10", "2026-07-10", {"councils": ["sutton"]}, dag_id=WEATHER)

    assert plan(run, WEATHER) == [("sutton", "2026-07-10")]
    assert run.data_interval_start == datetime(2026, 7, 10, 6, 20, tzinfo=UTC)
    assert run.data_interval_end == datetime(2026, 7, 11, 6, 20, tzinfo=UTC)


def test_reprocessing_what_exists_takes_the_new_parameters(backfill, plan):
    before = backfill("2017-05-01", "2017-06-30", {"councils": ["sutton"]})

    after = backfill("2017-05-01", "2017-06-30", {"councils": ["kingston"], "mode": "reload"})

    assert [run.run_id for run in after] == [run.run_id for run in before]
    assert {run.conf["mode"] for run in after} == {"reload"}
    assert [plan(run) for run in after] == [[("kingston", "2017-05")], [("kingston", "2017-06")]]


def test_a_backfill_refuses_a_council_that_does_not_exist(backfill):
    from airflow.models.backfill import InvalidBackfillConf

    with pytest.raises(InvalidBackfillConf, match="kingstn"):
        backfill("2017-05-01", "2017-05-31", {"councils": ["kingstn"]})


def test_a_run_of_a_backfill_has_no_second_window(plan):
    run = run_of("backfill", "2017-05-03T04:30", "2017-06-03T04:30", **{"from": "2016-01"})

    with pytest.raises(PermanentError, match=r"backfill run covers its own month.*both empty"):
        plan(run)


def test_a_scheduled_run_looks_back_for_late_and_revised_data(plan):
    planned = plan(run_of("scheduled", "2026-10-03T04:30", "2026-11-03T04:30"))

    assert planned[0] == (COUNCILS[0], "2025-09")
    assert planned[-1] == (COUNCILS[-1], "2026-10")
    assert len(planned) == len(COUNCILS) * (1 + 13)


def test_a_scheduled_run_skips_what_was_removed_and_other_runs_fetch_it_again(plan, world):
    world.query(
        "INSERT INTO ops.removal (source, council, period, landing_id, reason, objects, bytes, "
        "removed_at, removed_by) VALUES ('police_street_crime', 'sutton', '2026-10-01', 'L', "
        "'removed', 2, 1, now(), 'ada') RETURNING 1"
    )
    window = ("2026-10-03T04:30", "2026-11-03T04:30")

    assert ("sutton", "2026-10") not in plan(run_of("scheduled", *window))
    assert ("kingston", "2026-10") in plan(run_of("scheduled", *window))
    assert ("sutton", "2026-10") in plan(run_of("backfill", *window))
    assert ("sutton", "2026-10") in plan(run_of("manual", *window))
    world.query("DELETE FROM ops.removal RETURNING 1")


def test_the_form_wins_over_the_interval_of_a_manual_run(plan):
    run = run_of("manual", "2026-10-03T04:30", "2026-11-03T04:30", **{"from": "2017-05"})

    assert plan(run) == [(name, "2017-05") for name in COUNCILS]


def test_a_manual_run_without_interval_and_without_window_is_refused(plan):
    with pytest.raises(PermanentError, match="Fill in `from` and `to`"):
        plan(run_of("manual"))


def test_a_misspelt_parameter_is_refused_not_ignored(plan):
    with pytest.raises(PermanentError, match=r"unknown parameter 'council'. Known: councils, from"):
        plan(run_of("manual", council=["sutton"], **{"from": "2017-05"}))


def test_a_snapshot_is_of_the_current_month_and_another_one_can_only_be_reloaded(plan):
    now = datetime.now(UTC)

    assert plan(run_of("manual"), WARDS) == [(name, f"{now:%Y-%m}") for name in COUNCILS]
    with pytest.raises(PermanentError, match="mode `reload`"):
        plan(run_of("manual", **{"from": "2017-05"}), WARDS)
    assert plan(run_of("manual", mode="reload", **{"from": "2017-05"}), WARDS) == [
        (name, "2017-05") for name in COUNCILS
    ]


@pytest.fixture
def weights(metadata) -> Callable[[str], set[int]]:
    """The weights of the tasks of a run; of a DAG, those of a run that is started by hand."""
    from airflow.api.common.trigger_dag import trigger_dag
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.types import DagRunTriggeredByType
    from sqlalchemy import select

    def found(name: str) -> set[int]:
        run_id = name
        if name.startswith("ingest_"):
            run_id = f"by-hand-{name}"
            trigger_dag(dag_id=name, triggered_by=DagRunTriggeredByType.TEST, run_id=run_id)
        chosen = select(TaskInstance.priority_weight).where(TaskInstance.run_id == run_id)
        with metadata() as session:
            return set(session.scalars(chosen))

    return found


def test_the_tasks_of_a_backfill_start_after_those_of_other_runs(backfill, weights):
    (run,) = backfill("2017-05-01", "2017-05-31", {})

    assert weights(run.run_id) == {0}
    assert min(weights(CRIME)) > 0


def test_all_tasks_of_a_source_that_another_waits_for_start_before_those_of_others(
    backfill, weights
):
    assert min(weights(WARDS)) > max(weights(WEATHER) | weights(CRIME))
