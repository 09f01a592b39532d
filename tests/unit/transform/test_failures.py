"""dbt's and PostgreSQL's messages: what may pass by itself, what to do, what is never shown."""

from __future__ import annotations

import pytest

from include.errors import PermanentError, ServiceUnavailable, TableOutdated
from include.transform.failures import failure, without_values
from include.transform.process import environment


@pytest.mark.parametrize(
    "message",
    [
        'connection to server at "10.0.0.1", port 5432 failed: Connection refused',
        "could not connect to server: Connection timed out",
        "SSL connection has been closed unexpectedly",
        "terminating connection due to administrator command",
        "FATAL:  the database system is starting up",
        "FATAL:  sorry, too many clients already",
        "canceling statement due to lock timeout",
        "deadlock detected",
    ],
)
def test_a_database_that_is_down_or_busy_is_retryable(message):
    with pytest.raises(ServiceUnavailable, match="Try again later"):
        raise failure("dbt build", message)


@pytest.mark.parametrize(
    "message",
    [
        'connection to server failed: FATAL:  password authentication failed for user "x"',
        'connection to server failed: FATAL:  database "x" does not exist',
        'connection to server failed: FATAL:  role "x" does not exist',
    ],
)
def test_a_wrong_login_is_permanent_and_names_the_connection(message):
    with pytest.raises(PermanentError, match="wandle_transformer"):
        raise failure("dbt build", message)


@pytest.mark.parametrize(
    "message",
    [
        'relation "raw.police_street_crime" does not exist',
        'relation "ops.dbt_run" does not exist',
        "permission denied for schema raw",
    ],
)
def test_a_database_without_its_tables_names_the_command(message):
    with pytest.raises(TableOutdated, match="wandle migrate"):
        raise failure("dbt build", message)


def test_anything_else_is_permanent():
    with pytest.raises(PermanentError, match="dbt_project"):
        raise failure("dbt nodes", "Compilation Error: depends on a node named 'x'")


def test_the_values_of_a_row_are_never_shown():
    message = """Database Error in model marts (models/marts/x.sql)
      null value in column "name" violates not-null constraint
      DETAIL:  Failing row contains (Ann Example, 1 High Street).
      LINE 3: select 'Ann Example'
      compiled code at target/run/x.sql"""

    assert without_values(message) == (
        "Database Error in model marts (models/marts/x.sql) "
        'null value in column "name" violates not-null constraint'
    )
    assert without_values('invalid input syntax for type integer: "Ann Example"') == (
        "invalid input syntax for type integer"
    )


def test_a_long_message_is_cut():
    assert len(without_values("x" * 100_000) or "") < 2_000


def test_every_part_of_a_dsn_reaches_dbt():
    variables = environment(
        "postgresql://wandle_transformer:p%40ss%2Fword@db.example:6432/warehouse"
        "?sslmode=verify-full&sslrootcert=/etc/ca.pem"
    )

    assert variables["WANDLE_DBT_HOST"] == "db.example"
    assert variables["WANDLE_DBT_PORT"] == "6432"
    assert variables["WANDLE_DBT_USER"] == "wandle_transformer"
    assert variables["DBT_ENV_SECRET_WANDLE_PASSWORD"] == "p@ss/word"
    assert variables["WANDLE_DBT_DATABASE"] == "warehouse"
    assert variables["PGSSLMODE"] == "verify-full"
    assert variables["PGSSLROOTCERT"] == "/etc/ca.pem"


def test_a_dsn_may_name_the_folder_of_a_socket():
    variables = environment("postgresql://wandle_transformer@/warehouse?host=/run/pg")

    assert (variables["WANDLE_DBT_HOST"], variables["WANDLE_DBT_PORT"]) == ("/run/pg", "5432")
