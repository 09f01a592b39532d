"""Time `transform` on ten times the demo's crimes: nothing changed, one partition, everything.

dbt is up before the clock starts, except where nothing changed: neither the build nor the
publication starts it then. Its start is measured as well. Run it by `make bench CASES=transform`.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from include.jobs.lake import lake_of
from include.jobs.publish.publish import publish_marts
from include.settings import Settings
from include.sources.model import contracts
from include.transform import history
from include.transform.build import build_layer
from include.transform.process import Dbt
from include.transform.project import FOLDERS
from tests.benchmarks.measuring import Row
from tests.benchmarks.platform import platform, run_sql

COUNCILS, MONTHS, CRIMES = 25, 26, 2_500
WARDS = 18
START, NOTHING, ONE, ALL = "dbt's own start", "nothing changed", "one partition", "all changed"
PUBLISHED = "nothing changed, with publication"

# A partition, or all of them if `{where}` is true, as a load leaves it.
_REPLACE = """
with place as (
    select
        'council_' || c as council, c,
        (date '2023-01-01' + m * interval '1 month')::date as month
    from generate_series(1, {councils}) as c, generate_series(0, {months} - 1) as m
    where {where}
),
rows as (
    insert into raw.police_street_crime (
        ward_code, ward_name, id, persistent_id, category, month, latitude, longitude, street_id,
        street_name, outcome_category, outcome_month, _council, _period, _landing_id, _record_no
    )
    select
        format('E05%s', 100000 + c * 100 + no % {wards}), format('Ward %s', no % {wards}), no,
        md5(no::text || council || month) || md5(no::text),
        (array['burglary', 'drugs', 'robbery', 'shoplifting', 'vehicle-crime'])[1 + no % 5],
        to_char(month, 'YYYY-MM'), 51.4 + no % 100 / 1000.0, -0.3 + no % 90 / 1000.0, no % 700,
        'On or near Street ' || no % 700, case when no % 3 > 0 then 'Offender fined' end,
        case when no % 3 > 0 then to_char(month + interval '1 month', 'YYYY-MM') end,
        council, month, 'landing', no
    from place, generate_series(1, {crimes}) as no
)
insert into ops.load (
    source, council, period, landing_id, status, records, loaded, quarantined, duplicates, pages,
    bytes, pages_hash, rules_hash, contract_hash, code_version, run_id, started_at, finished_at,
    seconds, rows
)
select
    'police_street_crime', council, month, 'landing', 'loaded', {crimes}, {crimes}, 0, 0, 1, 1, '',
    '', '', '', 'bench', now(), now(), 0, {crimes}
from place
"""
_WARDS = f"""
insert into raw.police_ward_boundaries
    (ward_code, ward_name, point_no, latitude, longitude,
    _council, _period, _landing_id, _record_no)
select
    format('E05%s', 100000 + c * 100 + w), format('Ward %s', w), 1, 51.4, -0.3,
    'council_' || c, date '2026-10-01', 'landing', w + 1
from generate_series(1, {COUNCILS}) as c, generate_series(0, {WARDS - 1}) as w
"""
_WARDS_LOADED = f"""
insert into ops.load (
    source, council, period, landing_id, status, records, loaded, quarantined, duplicates, pages,
    bytes, pages_hash, rules_hash, contract_hash, code_version, run_id, started_at, finished_at,
    seconds, rows
)
select
    'police_ward_boundaries', 'council_' || c, date '2026-10-01', 'landing', 'loaded', {WARDS},
    {WARDS}, 0, 0, 1, 1, '', '', '', '', 'bench', now(), now(), 0, {WARDS}
from generate_series(1, {COUNCILS}) as c
"""


def main(runs: int) -> list[Row]:
    """Measure, print medians and ratios, and return them as rows of `bench.json`."""
    seconds: dict[str, list[float]] = {START: [], NOTHING: [], PUBLISHED: [], ONE: [], ALL: []}
    with (
        platform(contracts().values()) as settings,
        tempfile.TemporaryDirectory(prefix="wandle-bench-dbt-") as folder,
    ):
        _say(f"making {COUNCILS * MONTHS} partitions")
        run_sql(settings, _WARDS, _WARDS_LOADED, _replaced("true"))
        run_sql(settings, "vacuum analyze raw.police_street_crime", "checkpoint")
        transformer, home = settings.need("transformer_dsn"), Path(folder)
        with Dbt(dsn=transformer, home=home, progress=lambda line: None) as dbt:
            dbt.nodes()
            _build(transformer, dbt)  # the first one also makes what later ones replace
            _publish(settings, transformer, dbt)
        for number in range(runs):
            _round(settings, transformer, home, seconds, number)
    return _report(seconds)


def _round(
    settings: Settings, dsn: str, home: Path, seconds: dict[str, list[float]], number: int
) -> None:
    with Dbt(dsn=dsn, home=home, progress=lambda line: None) as dbt:
        _time(seconds, NOTHING, lambda: _build(dsn, dbt))
        _time(seconds, PUBLISHED, lambda: _publish(settings, dsn, dbt))
        if dbt.started:
            raise RuntimeError("transform: dbt was started although nothing had changed")
        _time(seconds, START, dbt.nodes)
        council, month = f"council_{1 + number % COUNCILS}", f"date '2024-{1 + number % 12:02}-01'"
        run_sql(
            settings,
            f"delete from raw.police_street_crime where _council = '{council}' "
            f"and _period = {month}",
            _replaced(
                f"'council_' || c = '{council}' and date '2023-01-01' + m * interval "
                f"'1 month' = {month}"
            ),
        )
        _time(seconds, ONE, lambda: _build(dsn, dbt))
    with Dbt(dsn=dsn, home=home, progress=lambda line: None) as dbt:
        dbt.nodes()
        with history.building(dsn) as books:
            books.states.forget()
        _time(seconds, ALL, lambda: _build(dsn, dbt))
        _publish(settings, dsn, dbt)


def _replaced(where: str) -> str:
    return _REPLACE.format(
        where=where, councils=COUNCILS, months=MONTHS, crimes=CRIMES, wards=WARDS
    )


def _build(dsn: str, dbt: Dbt) -> None:
    with history.building(dsn) as books:
        for layer in FOLDERS:
            build_layer(layer, dbt=dbt, history=books, run_id="bench")


def _publish(settings: Settings, dsn: str, dbt: Dbt) -> None:
    """Build what changed, which is nothing, and publish."""
    _build(dsn, dbt)
    with history.building(dsn) as books:
        publish_marts(
            dbt,
            books,
            publisher_dsn=settings.need("publisher_dsn"),
            lake=lake_of(settings),
            built_nothing=books.built_nothing("bench"),
        )


def _time(seconds: dict[str, list[float]], what: str, work: Callable[[], object]) -> None:
    began = time.monotonic()
    work()
    seconds[what].append(time.monotonic() - began)
    _say(f"{what}: {seconds[what][-1]:.2f} s")


def _report(seconds: dict[str, list[float]]) -> list[Row]:
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    rows = [
        {
            "case": "transform",
            "contender": name,
            "records": COUNCILS * MONTHS * CRIMES,
            "seconds_median": round(median, 3),
            "runs": [round(value, 3) for value in seconds[name]],
            "ratio_to_all": round(median / medians[ALL], 3),
        }
        for name, median in medians.items()
    ]
    for row in rows:
        _say(f"{row['contender']:<20} {row['seconds_median']:>8} s  x {row['ratio_to_all']}")
    return rows


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
