"""What Airflow shows of a broken contract or council: one import error, and every other DAG."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from airflow.sdk import CronTriggerTimetable
from airflow.serialization.serialized_objects import DagSerialization
from hypothesis import example, given
from hypothesis import strategies as st

from include.councils.model import councils
from include.sources import syntax
from include.sources.model import contract, contracts
from plugins.period_timetable import PeriodTimetable
from tests.broken import OF_CONTRACTS, Definitions, copied

DAGS = Path(__file__).parents[2] / "dags"
OTHERS = {"transform", "replay_quarantine", "freshness_watch", "housekeeping"}
NAMES = sorted(contracts())
# With `make test-slow`, every contract in every way; otherwise each in a different one, and
# tests/unit/test_broken_definitions.py has them all.
BROKEN = [
    (name, way)
    for place, name in enumerate(NAMES)
    for number, way in enumerate(OF_CONTRACTS)
    if os.environ.get("EXAMPLES") or number == place % len(OF_CONTRACTS)
]


@pytest.fixture
def copy(tmp_path) -> Iterator[Definitions]:
    with copied(tmp_path) as found:
        yield found


def parsed(folder: Path = DAGS):
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(dag_folder=folder)


@pytest.mark.usefixtures("dag_bag")  # makes the metadata database
@pytest.mark.parametrize(("name", "way"), BROKEN)
def test_a_broken_contract_is_one_import_error_and_every_other_dag_is_there(copy, name, way):
    copy.break_(name, way)

    bag = parsed()

    assert set(bag.dag_ids) == {f"ingest_{n}" for n in NAMES if n != name} | OTHERS
    ((file, error),) = bag.import_errors.items()
    assert Path(file).name == "definitions.py"
    assert f"{copy.path(name)}: " in error
    if OF_CONTRACTS[way].field:
        assert re.search(rf"line \d+, field `{re.escape(OF_CONTRACTS[way].field)}`: ", error)
    for dag in bag.dags.values():
        DagSerialization.serialize_dag(dag)


@pytest.mark.usefixtures("dag_bag")
@pytest.mark.parametrize("name", sorted(councils()))
def test_a_broken_council_is_one_import_error_and_removes_no_dag(copy, name):
    copy.break_(name)

    bag = parsed()

    assert set(bag.dag_ids) == {f"ingest_{source}" for source in NAMES} | OTHERS
    ((file, error),) = bag.import_errors.items()
    assert Path(file).name == "definitions.py"
    assert re.search(rf"{name}\.yaml: line \d+, field `publsher`: ", error)
    # It stays on the form: a run without it would be green although its data are missing.
    each = next(source for source, item in contracts().items() if item.councils == "each")
    assert name in bag.get_dag(f"ingest_{each}").params["councils"]


@pytest.mark.usefixtures("dag_bag")
def test_transform_still_waits_for_the_table_whose_contract_is_broken(copy):
    """Its last load may not be in the marts yet."""
    copy.break_(NAMES[0])

    schedule = parsed().get_dag("transform").timetable.asset_condition

    assert {asset.name for asset in schedule.objects} == {f"raw.{name}" for name in NAMES}


@pytest.mark.usefixtures("dag_bag")
def test_the_other_dags_are_there_however_many_files_are_broken(copy):
    for name in NAMES:
        copy.break_(name)

    bag = parsed()

    assert set(bag.dag_ids) == OTHERS
    (error,) = bag.import_errors.values()
    assert error.count("field `publsher`") == len(NAMES)


ALONE = next(
    name
    for name, item in contracts().items()
    if item.snapshot and item.councils == "each" and not item.extract.parents
)


def test_a_run_of_another_source_is_green(copy, world, start):
    """The whole way of a source: plan, extract, load, announce, reconcile."""
    copy.break_(next(name for name in NAMES if name != ALONE))

    assert start(f"ingest_{ALONE}", {}).state == "success"


def test_a_run_loads_the_other_councils_and_is_red_for_the_one_whose_file_is_broken(
    copy, world, start
):
    broken, *others = sorted(councils())
    copy.break_(broken)

    run = start(f"ingest_{ALONE}", {})

    assert run.state == "failed"
    states = {name.rpartition(" ")[0]: state for name, state in run.states.items()}
    assert states[f"extract {broken}"] == "failed"
    assert {states[f"load {other}"] for other in others} == {"success"}
    assert run.states["reconcile"] == "failed"
    assert f"{broken}.yaml: line " in run.said


CRON_FIELD = st.lists(
    st.sampled_from(["*", "0", "1", "5", "15", "23", "31", "59", "7", "/", "-", ",", "mon", "Feb"]),
    min_size=1,
    max_size=4,
).map("".join)


@given(st.lists(CRON_FIELD, min_size=5, max_size=5).map(" ".join))
@example("0 0 29 2 *")
@example("0 0 30 2 mon")
@example("*/15 0-23/2 1,15 jan-dec sun-sat")
@example("59 23 31 12 0-7")
def test_airflow_takes_every_schedule_that_is_read(text):
    try:
        syntax.schedule(text)
    except ValueError:
        return
    for timetable in (
        PeriodTimetable(text, period="day"),
        CronTriggerTimetable(text, timezone="UTC"),
    ):
        getattr(timetable, "validate", lambda: None)()


def test_airflow_takes_the_longest_texts_that_are_read(copy):
    """A tag of Airflow has at most 100 characters, and a name at most 48."""
    name = NAMES[0]
    path = copy.path(name)
    copy.write(
        path,
        re.sub(r"^publisher: .*$", f"publisher: {'x' * 100}", path.read_text(), flags=re.MULTILINE),
    )
    assert len(contract(name).publisher) == 100

    bag = parsed()

    assert bag.import_errors == {}
    DagSerialization.serialize_dag(bag.get_dag(f"ingest_{name}"))
