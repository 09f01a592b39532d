"""A warehouse with a few partitions, loaded as the loader does, and a dbt project of six models."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from include.transform import history
from include.transform.build import Built, build_layer
from include.transform.process import Dbt
from include.transform.project import FOLDER, FOLDERS, Layer
from tests.integration.conftest import Warehouse

KEPT = (
    *("stg_police__", "stg_flood__stations", "stg_flood__readings.", "int_police__crimes"),
    *("ward_crime_monthly", "crime_outcomes_monthly", "river_levels_daily", "_sources", "_groups"),
)
MODELS = {
    "intermediate": ["int_police__crimes"],
    "marts": ["ward_crime_monthly", "crime_outcomes_monthly", "river_levels_daily"],
}
TABLES = [f"{schema}.{name}" for schema, names in MODELS.items() for name in names]
CRIMES, READINGS, STATIONS = "police_street_crime", "flood_readings", "flood_stations"
MEASURE = "http://environment.data.gov.uk/flood-monitoring/id/measures/3400TH"
MONTHS = [f"2017-{month:02}-01" for month in range(1, 5)]
DAYS = [f"2017-01-{day:02}" for day in range(1, 6)]
_COLUMNS = ("_council", "_period", "_landing_id", "_record_no")

Row = dict[str, Any]


def small_project(folder: Path) -> Path:
    """A copy of the project with these models only."""
    shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns("target", "logs"))
    for path in folder.glob("models/**/*.*"):
        if not path.name.startswith(KEPT):
            path.unlink()
    return folder


def crime(number: int, month: str, **more: Any) -> Row:
    """A raw row."""
    known = {"ward_code": "E05000401", "ward_name": "Berrylands", "category": "burglary"}
    return {"id": number, "persistent_id": "", "month": month[:7], **known, **more}


def reading(day: str, hour: int, value: str) -> Row:
    """A raw row."""
    known = {"station_reference": "3400TH", "measure": MEASURE}
    return {**known, "date_time": f"{day}T{hour:02}:00:00Z", "value": value}


def station(name: str) -> Row:
    """A raw row."""
    measures = [{"@id": MEASURE, "parameter": "level", "qualifier": "Stage", "unitName": "m"}]
    known = {"station_reference": "3400TH", "station_uri": "http://id/stations/3400TH"}
    return {**known, "label": name, "measures": json.dumps(measures)}


@dataclass
class World:
    """Loads partitions, builds, and compares what was built with a full refresh."""

    database: Warehouse
    project: Path
    home: Path
    dbt: Dbt
    runs: int = 0
    landings: int = 0

    def load(self, source: str, council: str, period: str, rows: list[Row]) -> None:
        """Replace a partition, with its entry in the ledger, in one transaction."""
        self.landings += 1
        landing = f"20170401T{self.landings:012}Z-aaaaaaaaaa"
        with psycopg.connect(self.database.admin) as connection:
            connection.execute(
                f"delete from raw.{source} where _council = %s and _period = %s",  # type: ignore[arg-type]
                (council, period),
            )
            for number, row in enumerate(rows, start=1):
                values = row | dict(zip(_COLUMNS, (council, period, landing, number), strict=True))
                places = ", ".join(["%s"] * len(values))
                connection.execute(
                    f"insert into raw.{source} ({', '.join(values)}) values ({places})",  # type: ignore[arg-type]
                    [*values.values()],
                )
            self._ledger(connection, source, council, period, landing, len(rows))

    def _ledger(self, connection: Any, *place: Any) -> None:
        connection.execute(
            "insert into ops.load (source, council, period, landing_id, status, records, loaded, "
            "quarantined, duplicates, pages, bytes, pages_hash, rules_hash, contract_hash, "
            "code_version, run_id, started_at, finished_at, seconds, rows) values "
            "(%s, %s, %s, %s, 'loaded', %s, %s, 0, 0, 1, 1, '', '', '', '', 'r', now(), now(), 0, "
            "%s)",
            (*place, place[-1], place[-1]),
        )

    def fill(self) -> None:
        """Two councils with a few crimes each month, and one gauge."""
        for council in ("kingston", "sutton"):
            for month in MONTHS:
                self.load(CRIMES, council, month, [crime(number, month) for number in (1, 2, 3)])
            for day in DAYS:
                self.load(READINGS, council, day, [reading(day, 1, "0.5"), reading(day, 2, "0.7")])
            self.load(STATIONS, council, DAYS[0], [station("Kingston Bridge")])

    def build(self, *layers: Layer, dbt: Dbt | None = None) -> dict[str, Built]:
        """One run of both layers, or these of them; only `marts` continues a run."""
        self.runs += layers != ("marts",)
        with history.building(self.database.dsn("wandle_transformer")) as open_history:
            return {
                layer: build_layer(
                    layer, dbt=dbt or self.dbt, history=open_history, run_id=f"run {self.runs}"
                )
                for layer in layers or FOLDERS
            }

    @contextmanager
    def restarted(self, project: Path | None = None) -> Iterator[Dbt]:
        """Another dbt process, for a project that was changed."""
        dsn = self.database.dsn("wandle_transformer")
        where = project or self.project
        with Dbt(dsn=dsn, home=self.home, progress=print, project=where) as dbt:
            yield dbt

    def rows(self) -> dict[str, list[Any]]:
        """Every row of every table that was built."""
        return {
            name: sorted(self.database.query(f"select t::text from {name} as t")) for name in TABLES
        }

    def assert_as_a_full_refresh(self, dbt: Dbt | None = None) -> None:
        """What was built is what dbt builds from nothing; the state stays as it was."""
        found = self.rows()
        dbt = dbt or self.dbt
        for schema, names in MODELS.items():
            models = [node for node in dbt.nodes() if node.key in {f"{schema}.{n}" for n in names}]
            assert all(result.good for result in dbt.build(models))
        expected = self.rows()
        assert found == expected
        self.database.query(
            "update ops.dbt_state set fingerprint = planned_fingerprint, "
            "relation = ops.relation_state(name) where fingerprint is null"
        )
        assert sum(map(len, expected.values())) > 20
