"""A dataset and a council are added, changed, renamed, retyped and removed, as the docs say.

docs/adding-a-dataset.md and docs/changing-a-dataset.md are followed to the letter on one platform,
with runs started as Airflow's UI starts them in between. After each block of commands, the marts
are compared with the pages in S3 by a calculation of its own, everything else must be as it was,
and `wandle verify` must be clean or name the command that is due.
"""

from __future__ import annotations

import gzip
import json
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.newcomer import (
    ADDING,
    CHANGING,
    CONTRACT,
    Newcomer,
    finished,
    newcomer,
    triggered,
)

PORT_BASE = 18_480
SOURCE = "library_loans"
DAG = f"ingest_{SOURCE}"
MART = "marts.daily_loans"
# Loaded before the dataset is added, to see that nothing that is done to it reaches them.
OTHERS = {
    "bank_holidays": (),
    "police_ward_boundaries": (),
    "weather_hourly": ("--period", "2026-11-10"),
}

pytestmark = [pytest.mark.timeout(3_600), pytest.mark.platform]

Mart = dict[tuple[str, date, str], tuple[int, Decimal]]


class Watch:
    """What must hold at every step."""

    def __init__(self, person: Newcomer) -> None:
        self._person = person
        self.steps: list[str] = []
        self.others = self._others()
        assert all(count for count, _ in self.others.values()), self.others

    def __call__(self, done: str) -> None:
        """Raise `AssertionError` if the mart is wrong, or anything else changed unsaid."""
        self.steps.append(done)
        found = self._person.run("verify", "--deep", "--json")
        differences = json.loads(found.stdout)["differences"]
        assert (found.returncode == 0) is (not differences), found.stderr
        for difference in differences:
            assert "`wandle " in difference["next"], difference
        assert self._others() == self.others
        built, landed = self.mart(), self.landed()
        wrong = {
            key: (row, landed.get(key)) for key, row in built.items() if row != landed.get(key)
        }
        assert wrong == {}, f"after\n{done}"
        if "wandle transform" in done or "--yes" in done:
            assert built == (landed if self.is_built() else {}), f"after\n{done}"

    def is_built(self) -> bool:
        """Whether the mart is there."""
        return self._person.rows(f"select to_regclass('{MART}') is not null") == [(True,)]

    def mart(self) -> Mart:
        """The rows of the mart, as a reader of it has them."""
        if not self.is_built():
            return {}
        rows = self._person.rows(
            f"select council, day, branch, loans, fees_pounds from {MART}", "WANDLE_WAREHOUSE_DSN"
        )
        return {(council, day, branch): (loans, fees) for council, day, branch, loans, fees in rows}

    def landed(self) -> Mart:
        """The same, from the newest landing of each partition."""
        found: dict[tuple[str, date, str], list[Decimal]] = defaultdict(list)
        for place in sorted((self._person.home / "s3").glob(f"*/landing/{SOURCE}/*/*")):
            landings = [path for path in place.iterdir() if (path / "manifest.json").exists()]
            for page in max(landings, default=place).glob("*.json.gz"):
                answer = json.loads(gzip.decompress(page.read_bytes()).decode("utf-8-sig"))
                for loan in answer["Reply"]["Loans"]["Loan"]:
                    key = (place.parent.name, date.fromisoformat(place.name), loan["Branch"])
                    found[key].append(Decimal(loan["Fee"]))
        return {key: (len(fees), sum(fees, Decimal())) for key, fees in found.items()}

    def _others(self) -> dict[str, tuple[int, str]]:
        """The rows of the other datasets, without those of the new council."""
        return {
            name: self._person.rows(
                "select count(*), coalesce(md5(string_agg(row::text, '' order by row::text)), '') "
                f"from raw.{name} as row where _council not like 'merton%'"
            )[0]
            for name in OTHERS
        }


@pytest.fixture(scope="module")
def person(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Newcomer]:
    with newcomer(tmp_path_factory, PORT_BASE) as found:
        for source, options in OTHERS.items():
            found.wandle("ingest", source, *options)
        found.wandle("transform")
        yield found


def eventually(what: Callable[[], Any], expected: Any, seconds: float = 120) -> None:
    """Wait until what Airflow's processes have to notice is as expected."""
    ends = time.monotonic() + seconds
    while (found := what()) != expected:
        assert time.monotonic() < ends, f"found {found}, expected {expected}"
        time.sleep(2)


def dags(person: Newcomer) -> set[str]:
    """The DAGs that the UI lists."""
    return {item["dag_id"] for item in person.airflow().listed("/dags", "dags")}


def expected_dags(person: Newcomer) -> set[str]:
    """One for each enabled contract, and those that do not depend on any."""
    listed = json.loads(person.wandle("sources", "--json"))
    others = {"transform", "replay_quarantine", "freshness_watch", "housekeeping"}
    return {f"ingest_{item['source']}" for item in listed} | others


def published_docs(person: Newcomer) -> str:
    """The page of the dbt docs that the UI shows."""
    (current,) = (person.home / "s3").glob("*/docs/current.json")
    (page,) = current.parent.glob(f"*{json.loads(current.read_text())['id']}*/index.html")
    return page.read_text()


def documented(person: Newcomer) -> set[str]:
    """The tables and models in the published dbt docs."""
    text = published_docs(person)
    return {name for name in ("library_loans", "daily_loans", "weather_hourly") if name in text}


def run_of_transform_after(person: Newcomer, began: datetime) -> str:
    """The state of the build that new data started."""
    api = person.airflow()

    def newer() -> list[str]:
        runs = api.listed("/dags/transform/dagRuns", "dag_runs")
        return [
            run["dag_run_id"] for run in runs if datetime.fromisoformat(run["queued_at"]) > began
        ]

    eventually(lambda: bool(newer()), True)
    return finished(api, "transform", newer()[0], 300)


def started_in_the_ui(person: Newcomer, **conf: Any) -> str:
    """The state of a run of the dataset's DAG, with what the form sends; then marts are built."""
    api = person.airflow()
    api.wait_for_dags([DAG], 90)
    began = datetime.now(UTC)
    state = finished(api, DAG, triggered(api, DAG, conf))
    if state == "success":
        assert run_of_transform_after(person, began) == "success"
    return state


def test_a_dataset_and_a_council_are_added_and_removed_as_the_pages_say(person):
    person.follow(ADDING)
    watch = person.check = Watch(person)
    eventually(lambda: dags(person), expected_dags(person))
    day = {"from": "2026-07-04", "to": "2026-07-04"}
    changing = CHANGING.read_text(encoding="utf-8")
    assert changing.count("## ") >= 6

    def until(heading: str, then: Callable[[], None]) -> None:
        """Follow the page up to a heading, then do something in the UI."""
        nonlocal changing
        before, found, changing = changing.partition(f"\n## {heading}")
        assert found, heading
        person.follow_text(before)
        then()

    def in_the_ui(**conf: Any) -> Callable[[], None]:
        def run() -> None:
            assert started_in_the_ui(person, **conf) == "success"
            watch("wandle transform, started by the run of the UI")

        return run

    # Each heading is that of what comes next.
    until("A new column", in_the_ui(councils=["kingston", "merton"], **day))
    explained = "explain marts.daily_loans -k council=sutton -k day=2026-07-03 -k branch=Tolworth"
    assert "1 of 1  raw.library_loans sutton 2026-07-03" in person.said[explained]

    def due() -> str:
        """What `wandle up` says is due."""
        return "\n".join(re.findall(r"^Due .*$", person.said["up"], re.MULTILINE))

    until("A new name", in_the_ui(councils=["kingston"], mode="reload", force=True, **day))
    assert "channel" in person.said["drift library_loans"]
    assert "were loaded under older rules" in person.said["migrate"]
    assert "raw.library_loans: " in due()
    assert "were loaded under older rules" in due()
    assert person.said["verify"].startswith("1: ")
    assert "older rules: loaded with another version" in person.said["verify"]
    until("Another type", in_the_ui(councils=["sutton"], **day))
    assert "renamed raw.library_loans.fee to charge" in person.said["migrate"]
    assert "older rules" not in person.said["migrate"]
    until("A council", in_the_ui(councils=["merton"], force=True, **day))
    rebuilt = person.said["migrate --rebuild library_loans"]
    assert "expected bigint, which might not hold every existing value" in due()
    assert "wandle migrate --rebuild library_loans" in due()
    assert "rebuilt raw.library_loans" in rebuilt
    assert "loaded its " in rebuilt
    api = person.airflow()
    assert "Charge for the loan, in pounds." in published_docs(person)
    until("Remove", lambda: None)
    assert "no council: 1 partition, but the council's file is gone" in person.said["verify"]
    assert "remove library_loans --council merton" in person.said["verify"]
    eventually(lambda: "merton_lb" in str(api.get(f"/dags/{DAG}/details")["params"]), True)
    in_the_ui(councils=["merton_lb"], **day)()
    assert documented(person) == {"library_loans", "daily_loans", "weather_hourly"}
    before = set(watch.landed())
    person.follow_text(changing)

    assert {council for council, _, _ in before} == {"kingston", "sutton", "merton_lb"}
    assert person.said["validate"].startswith("1: ")
    assert "wandle remove marts.daily_loans" in person.said["validate"]
    assert person.said["remove library_loans"].startswith("0: ")
    assert "the DAG ingest_library_loans and its" in person.said["remove library_loans --yes"]
    assert watch.landed() == {}
    assert not (person.folder / CONTRACT).exists()
    assert not [*Path(person.folder, "dbt_project/models").rglob("*librar*")]
    assert person.rows(f"select to_regclass('raw.{SOURCE}') is null") == [(True,)]


def test_everything_that_lists_datasets_agrees_afterwards(person):
    assert "0 differences" in person.wandle("validate")
    person.wandle("verify", "--deep")
    person.wandle("sync", "--check")
    person.wandle("transform")
    assert documented(person) == {"weather_hourly"}
    assert SOURCE not in person.wandle("sources")
    eventually(lambda: dags(person), expected_dags(person))
    assert DAG not in dags(person)
    api = person.airflow()
    assert api.get("/importErrors")["total_entries"] == 0
    assert "merton" not in str(api.get("/dags/ingest_weather_hourly/details")["params"])
    removals = person.rows(
        "select distinct source from ops.removal where reason = 'removed'", "WANDLE_LOADER_DSN"
    )
    assert (SOURCE,) in removals


def test_what_was_removed_can_be_added_again(person):
    """Nothing that is left of the old dataset keeps the new one of the same name from loading."""
    person.check = None
    person.follow(ADDING)

    found = person.rows("select council, count(*) from staging.stg_library__loans group by 1")
    assert dict(found) == {"kingston": 2, "sutton": 2}
    person.wandle("verify", "--deep")
