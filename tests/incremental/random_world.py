"""A warehouse that changes at random, and dbt's whole build of it in schemas of its own."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg

from include.sources.model import contract
from include.sources.partition import Partition, Period
from include.transform.failures import BuildFailed
from include.transform.process import Dbt
from include.warehouse.books import removals, stored
from include.warehouse.connection import connect
from tests.integration.built_world import MEASURE, Row, World
from tests.integration.conftest import Warehouse

MONTHS = [f"20{year}-{month:02}-01" for year in (16, 17) for month in range(1, 13)][6:]
DAYS = [f"2017-01-{day:02}" for day in range(1, 13)]
WARDS = {"kingston": ["E05000401", "E05000402"], "sutton": ["E05000555"], "merton": ["E05000460"]}
DAILY = ("flood_readings", "flood_stations", "weather_hourly")
SOURCES = (
    *DAILY,
    *("police_street_crime", "police_ward_boundaries", "council_spend"),
    *("planning_applications", "bank_holidays"),
)
OUTCOMES = (None, "Under investigation", "Fined", "No further action")
PREFIX = "whole_"
# For each file, what is changed in it, and back.
EDITS = (
    ("macros/no_outcome.sql", "No outcome yet", "None yet"),
    ("macros/months_to_mature.sql", "    12", "    3"),
    ("dbt_project.yml", '"2010-01-01"', '"2015-01-01"'),
    ("models/marts/ward_crime_monthly.sql", "max(ward_name)", "min(ward_name)"),
    ("models/marts/weather_daily.sql", "sum(precipitation)", "max(precipitation)"),
    ("models/marts/river_levels_daily.sql", "avg(readings.value), 3", "avg(readings.value), 1"),
    (
        "models/intermediate/police/int_police__crimes.sql",
        *("crime_id, ward_code, landing_id", "crime_id, landing_id, ward_code"),
    ),
    (
        "models/intermediate/police/int_police__outcome_ages.sql",
        *("count(outcome_age) filter (where is_settled)", "count(outcome_age)"),
    ),
    (
        "models/staging/police/stg_police__street_crime.sql",
        "from source\n",
        "from source where id > 2\n",
    ),
)


class RandomWorld:
    """Changes by name; `step` makes some of them, builds, and compares with a whole build.

    A context manager: its dbt processes continue until the project is changed.
    """

    def __init__(self, database: Warehouse, project: Path, home: Path, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311, no secret
        self.world = World(database, project, home, Dbt(dsn="", home=home, progress=print))
        self._processes = ExitStack()
        self._running: dict[str, Dbt] = {}
        self.database, self.project, self.home = database, project, home
        self.councils = ["kingston", "sutton"]
        self.bad: set[tuple[str, str, str]] = set()
        self.said = [f"SEED={seed}"]
        self.compared = 0
        for council in self.councils:
            for month in MONTHS[:6]:
                self._load("police_street_crime", council, month)
            for day in DAYS[:4]:
                for source in ("flood_readings", "weather_hourly"):
                    self._load(source, council, day)
            for source, period in (
                ("flood_stations", DAYS[0]),
                ("police_ward_boundaries", MONTHS[0]),
                ("council_spend", MONTHS[0]),
                ("council_spend", MONTHS[1]),
                ("planning_applications", MONTHS[0]),
            ):
                self._load(source, council, period)
        self._load("bank_holidays", "uk", MONTHS[0])

    def __enter__(self) -> RandomWorld:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def _stop(self) -> None:
        self._running.clear()
        self._processes.close()

    def _dbt(self, role: str, home: Path, prefix: str = "") -> Dbt:
        if prefix not in self._running:
            dsn = self.database.dsn(role)
            made = Dbt(
                dsn=dsn, home=home, progress=print, project=self.project, schema_prefix=prefix
            )
            self._running[prefix] = self._processes.enter_context(made)
        return self._running[prefix]

    # What is loaded

    def _rows(self, source: str, council: str, period: str) -> list[Row]:
        some, rows = self.random, getattr(self, f"_{source}")
        return [*rows(council, period)][: some.choice((0, 1, 2, 99, 99, 99))]

    def _police_street_crime(self, council: str, month: str) -> Iterator[Row]:
        for number in self.random.sample(range(1, 9), 5):
            for ward in self.random.sample(
                WARDS[council], self.random.randint(1, len(WARDS[council]))
            ):
                outcome = self.random.choice(OUTCOMES)
                yield {
                    "id": number,
                    "month": month[:7],
                    "ward_code": ward,
                    "ward_name": self.random.choice(("Norbiton", "Tudor", "Cheam's")),
                    "category": self.random.choice(("burglary", "drugs", "anti-social-behaviour")),
                    "outcome_category": outcome,
                    "outcome_month": outcome and self.random.choice(MONTHS)[:7],
                }

    def _flood_readings(self, council: str, day: str) -> Iterator[Row]:
        for hour in range(3):
            value = self.random.choice((None, "0.5", "2.25", "0.013"))
            known = {"station_reference": "3400TH", "measure": f"{MEASURE}-{council}"}
            yield known | {"date_time": f"{day}T{hour:02}:00Z", "value": value}

    def _flood_stations(self, council: str, day: str) -> Iterator[Row]:
        measures = [{"@id": f"{MEASURE}-{council}", "parameter": "level", "qualifier": "Stage"}]
        yield {
            "station_reference": "3400TH",
            "station_uri": "http://id/stations/3400TH",
            "notation": "3400TH",
            "label": self.random.choice(("Kingston", "Beverley Brook", "It's % \\ here")),
            "measures": json.dumps(measures),
            "stage_scale": json.dumps({"typicalRangeHigh": self.random.choice((0.4, 1))}),
        }

    def _weather_hourly(self, council: str, day: str) -> Iterator[Row]:
        for hour in range(3):
            known = {"point_name": "Town Hall", "latitude": 51.4, "longitude": -0.3}
            found = {"temperature_2m": self.random.choice((None, 3, -1.5)), "precipitation": hour}
            yield known | found | {"time": f"{day}T{hour:02}:00Z"}

    def _police_ward_boundaries(self, council: str, month: str) -> Iterator[Row]:
        for ward in WARDS[council]:
            for number, (x, y) in enumerate(((0, 0), (0, 1), (1, 1)), start=1):
                known = {"ward_code": ward, "ward_name": self.random.choice(("Norbiton", "Tudor"))}
                yield known | {"point_no": number, "latitude": 51 + x, "longitude": y}

    def _council_spend(self, council: str, month: str) -> Iterator[Row]:
        for number in range(1, 4):
            known = {"line_no": number, "body_name": council, "payment_date": month}
            yield known | {
                "supplier_name": self.random.choice(("A Ltd", "B & Co")),
                "transaction_no": str(self.random.randint(1, 3)),
                "net_amount": self.random.choice(("1.10", "-5.00", "99999999.99")),
            }

    def _planning_applications(self, council: str, month: str) -> Iterator[Row]:
        for number in self.random.sample(range(1, 5), 3):
            decided = self.random.choice((None, "2017-02-01"))
            known = {"entity": number, "reference": f"17/{number}", "start_date": "2017-01-05"}
            yield known | {"decision_date": decided}

    def _bank_holidays(self, council: str, month: str) -> Iterator[Row]:
        known = {"division": "england-and-wales"}
        for day, title in (
            ("2017-12-25", "Christmas"),
            ("2017-01-02", "New Year"),
            ("2016-12-26", "Boxing Day"),
        ):
            if self.random.random() < 0.8:
                yield known | {"date": day, "title": title}

    def _load(self, source: str, council: str, period: str, *, bad: bool = False) -> None:
        rows = self._rows(source, council, period)
        if bad:
            rows = [{**row, "category": None} for row in self._police_street_crime(council, period)]
        self.world.load(source, council, period, rows)
        (self.bad.add if bad else self.bad.discard)((source, council, period))

    def _any(self, source: str = "") -> tuple[str, str, str]:
        source = source or self.random.choice((*SOURCES, "police_street_crime"))
        council = "uk" if source == "bank_holidays" else self.random.choice(self.councils)
        return source, council, self.random.choice(DAYS if source in DAILY else MONTHS)

    # What may happen

    def load_one(self) -> None:
        """A new or changed partition, perhaps an empty one."""
        self._load(*self._any())

    def load_many(self) -> None:
        """More than a third of a table."""
        source, council, _ = self._any()
        for _ in range(6):
            self._load(source, council, self._any(source)[2])

    def load_bad(self) -> None:
        """A crime that a test refuses."""
        self._load(*self._any("police_street_crime"), bad=True)

    def remove(self) -> None:
        """A partition that expired, or was removed with or without its books."""
        source, council, period = self._any()
        grain = contract(source).period
        where = Partition(
            source, council, Period.parse(period[: 7 if grain == "month" else 10], grain)
        )
        with connect(self.database.dsn()) as connection, connection.cursor() as cursor:
            if self.random.random() < 0.5:
                ids = {"landing_id": "l", "code_version": "1", "run_id": "r"}
                removals.empty(cursor, contract(source), where, **ids)
            else:
                stored.delete(cursor, source, (council, where.period.starts_at))
            connection.commit()
        self.bad.discard((source, council, period))

    def council(self) -> None:
        """A council comes or goes, with all that it has."""
        if "merton" not in self.councils:
            self.councils.append("merton")
            for _ in range(4):
                source, _, period = self._any()
                if source != "bank_holidays":
                    self._load(source, "merton", period)
            return
        self.councils.remove("merton")
        with psycopg.connect(self.database.admin) as connection:
            for source in SOURCES:
                connection.execute(f"delete from raw.{source} where _council = 'merton'")  # type: ignore[arg-type]
            connection.execute("delete from ops.load where council = 'merton'")
        self.bad = {place for place in self.bad if place[1] != "merton"}

    def rebuild(self) -> None:
        """A raw table gets another file, or a migration changes it."""
        source = self._any()[0]
        if self.random.random() < 0.5:
            with psycopg.connect(self.database.admin, autocommit=True) as connection:
                connection.execute(f"vacuum full raw.{source}")  # type: ignore[arg-type]
            return
        self.database.query(f"update raw.{source} set _extra = '{{}}'")
        self.database.query(f"insert into ops.migration (change) values ('changed raw.{source}')")

    def damage(self) -> None:
        """Somebody truncates or drops what dbt built."""
        table = self.random.choice(("marts.ward_crime_monthly", "intermediate.int_police__crimes"))
        if self._exists(table):
            self.database.query(f"truncate {table}")

    def edit(self) -> None:
        """A model, a macro, a variable or a test is changed, or changed back."""
        name, one, other = self.random.choice(EDITS)
        path = self.project / name
        text = path.read_text()
        assert one in text or other in text, name
        path.write_text(text.replace(one, other) if one in text else text.replace(other, one))
        self._stop()

    def views(self) -> None:
        """Somebody makes views on marts, or drops them."""
        self.database.query("create schema if not exists analyst")
        query = "select count(*) from pg_views where schemaname = 'analyst'"
        if self.database.value(query):
            self.database.query("drop schema analyst cascade")
            return
        for name in ("ward_crime_monthly", "weather_daily", "dim_ward"):
            if self._exists(f"marts.{name}"):
                self.database.query(f"create view analyst.{name} as select * from marts.{name}")

    # Builds

    def half(self) -> None:
        """A run that ends after its first layer."""
        self._try("staging")

    def killed(self) -> None:
        """A run that is killed at any moment."""
        self._killed(self.random.uniform(0.5, 12))

    def _killed(self, after: float) -> None:
        code = (
            "import sys; from pathlib import Path\n"
            "from include.transform import history\n"
            "from include.transform.build import build_layer\n"
            "from include.transform.process import Dbt\n"
            "dsn, home, project = sys.argv[1], *map(Path, sys.argv[2:])\n"
            "with Dbt(dsn=dsn, home=home, progress=print, project=project) as dbt, "
            "history.building(dsn) as opened:\n"
            "    for layer in ('staging', 'marts'):\n"
            "        build_layer(layer, dbt=dbt, history=opened, run_id='killed')\n"
        )
        dsn = self.database.dsn("wandle_transformer")
        process = subprocess.Popen((sys.executable, "-c", code, dsn, self.home, self.project))
        time.sleep(after)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()

    def load_during_run(self) -> None:
        """Loads that are committed while a run is under way."""
        stop = threading.Event()
        places = [self._any() for _ in range(6)]

        def load() -> None:
            for place in places:
                if stop.wait(0.7):
                    return
                self._load(*place)

        thread = threading.Thread(target=load)
        thread.start()
        self._try()
        stop.set()
        thread.join()

    def _try(self, *layers: Any) -> list[str]:
        """Build; the failures."""
        try:
            self.world.build(*layers, dbt=self._dbt("wandle_transformer", self.home))
        except BuildFailed as error:
            return [str(error)]
        return []

    MOVES = (
        *("load_one", "load_one", "load_one", "load_one", "load_many", "load_bad", "remove"),
        *("council", "rebuild", "damage", "edit", "views", "half", "killed", "load_during_run"),
    )

    def step(self) -> None:
        """Some of these, then a build, and the comparison if it is green."""
        for name in self.random.choices(self.MOVES, k=self.random.randint(1, 3)):
            self.said.append(name)
            getattr(self, name)()
        failures = self._build()
        self._compare(failures)
        for place in sorted(self.bad):
            self._load(*place)

    def _build(self) -> list[str]:
        failures = self._try()
        self.said.append("red" if failures else "green")
        return failures

    def _compare(self, failures: list[str]) -> None:
        """The verdicts of tests, and without a failure all rows, are those of a whole build."""
        with self.whole() as (rows, verdicts):
            statuses = self._statuses()
            found = {name for name, status in statuses.items() if status in ("fail", "warn")}
            expected = {name for name, status in verdicts.items() if status in ("fail", "warn")}
            skipped = {name for name, status in verdicts.items() if status == "skipped"}
            assert found - skipped == expected - {
                name for name, status in statuses.items() if status in ("skipped", "not built")
            }, self.said
            assert bool(failures) == ("fail" in verdicts.values()), (self.said, failures)
            if failures:
                return
            for name, built in rows.items():
                assert self._table(name) == built, (name, self.said)
            self.compared += sum(map(len, rows.values()))
        again = self._build_again()
        assert again == {"staging", "marts"}, (again, self.said)

    def _build_again(self) -> set[str]:
        """The layers in which another run builds nothing."""
        built = self.world.build(dbt=self._dbt("wandle_transformer", self.home))
        return {name for name, layer in built.items() if layer.unchanged_since}

    def _statuses(self) -> dict[str, str]:
        query = (
            "select distinct on (unique_id) unique_id, node.status from ops.dbt_node as node "
            "join ops.dbt_run using (invocation_id) where unique_id like 'test.%' "
            "order by unique_id, started_at desc"
        )
        return dict(self.database.query(query))

    @contextmanager
    def whole(self) -> Iterator[tuple[dict[str, list[Any]], dict[str, str]]]:
        """Each table as dbt builds it from nothing, and the verdict of each test."""
        dbt = self._dbt("postgres", self.home.parent / "whole", PREFIX)
        nodes = dbt.nodes()
        verdicts = {result.unique_id: result.status for result in dbt.build(nodes)}
        names = [
            node.key.removeprefix(PREFIX)
            for node in nodes
            if node.materialized in ("table", "incremental")
        ]
        try:
            yield {name: self._table(f"{PREFIX}{name}") for name in names}, verdicts
        finally:
            for schema in ("staging", "intermediate", "marts", "test_failures"):
                self.database.query(f"drop schema if exists {PREFIX}{schema} cascade")

    def _exists(self, name: str) -> bool:
        return bool(self.database.value(f"select to_regclass('{name}') is not null"))

    def _table(self, name: str) -> list[Any]:
        if not self._exists(name):
            return []
        return sorted(self.database.query(f"select t::text from {name} as t"))
