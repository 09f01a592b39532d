"""docs/adding-a-dataset.md, followed to the letter on the local platform, without internet."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.acceptance.newcomer import ADDING, Newcomer, finished, newcomer, triggered

PORT_BASE = 18_280

pytestmark = [pytest.mark.timeout(900), pytest.mark.platform]


@pytest.fixture(scope="module")
def person(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Newcomer]:
    with newcomer(tmp_path_factory, PORT_BASE) as found:
        found.follow(ADDING)
        yield found


def test_the_new_source_is_requested_in_the_sandbox_which_is_reported(person):
    assert (
        "library_loans: requesting libraries.example.org, in the sandbox, which replays the sample"
        in person.said["ingest library_loans --period 2026-07-03"]
    )
    assert "data.police.uk, in the sandbox: police_street_crime" in person.said["up"]


def test_every_record_arrives_in_the_staging_model_as_the_page_wants_it(person):
    found = person.rows(
        "select council, loan_no, due_on::text, renewals, fee_pounds::text, overdue, "
        "jsonb_array_length(items), lent_at::text from staging.stg_library__loans "
        "where day = '2026-07-03' and council <> 'merton' order by council, loan_no"
    )

    lent = "2026-07-01 13:05:00+00"
    assert found == [
        (council, *loan)
        for council in ("kingston", "sutton")
        for loan in (
            ("000021", None, 2, "1.50", False, 2, lent),
            ("000022", "2026-07-22", 0, "0.00", True, 0, lent),
        )
    ]


def test_the_new_council_has_its_wards_and_their_boundaries(person):
    said = next(text for line, text in person.said.items() if line.startswith("new-council merton"))

    assert "with 20 wards: Abbey, Cannon Hill" in said
    assert person.rows("select count(distinct ward_code) from raw.police_ward_boundaries") == [
        (20,)
    ]


def test_the_dag_runs_for_every_council_and_its_log_says_where_it_is_requested(person):
    api = person.airflow()
    dag = "ingest_library_loans"
    api.wait_for_dags([dag], 90)
    api.unpause(dag)

    conf = {"councils": ["kingston", "merton"], "from": "2026-07-04", "to": "2026-07-04"}
    run = triggered(api, dag, conf)

    assert finished(api, dag, run) == "success"
    logs = (person.home / "airflow" / "logs").rglob("*.log")
    said = "\n".join(path.read_text(errors="replace") for path in logs)
    for council in ("kingston", "merton"):
        assert f"{dag.removeprefix('ingest_')} {council} 2026-07-04: requesting libraries." in said


def test_contracts_models_tables_and_s3_agree_afterwards(person):
    assert "0 differences" in person.wandle("validate")
    person.wandle("verify")


def test_the_folder_is_refused_for_the_live_apis_with_a_command_for_a_second_one(person):
    home = person.home
    live = Newcomer(person.folder, person.environment | {"WANDLE_LIVE": "1"})

    done = live.run("up")

    assert done.returncode == 1
    said = " ".join(done.stderr.split())
    assert f"`WANDLE_HOME={home}-live WANDLE_PORT_BASE={PORT_BASE + 10} WANDLE_LIVE=1" in said
