"""What the README says was found in the data, counted from the recorded responses."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "README.md"
SUMMER = ("2017-06", "2017-07", "2017-08")
GROVE, SUTTON_CENTRAL = "E05000408", "E05000564"


@pytest.fixture(scope="module")
def said() -> str:
    found = re.search(r"^## What was found.*?(?=^## )", README.read_text(), re.S | re.M)
    assert found
    return " ".join(found[0].split())


@pytest.fixture(scope="module")
def crimes(payloads: Path) -> dict[str, list[tuple[str, dict]]]:
    """Each council's records, with the ward that they were requested for."""
    return {
        council: [
            (path.stem, record)
            for path in sorted((payloads / "police/crimes" / council).glob("2017-*/*.json"))
            for record in json.loads(path.read_text())
        ]
        for council in ("kingston", "sutton")
    }


def distinct(records: list[tuple[str, dict]], category: str) -> list[tuple[str, dict]]:
    """The crimes of a category, each once."""
    return list(
        {
            crime["id"]: (ward, crime) for ward, crime in records if crime["category"] == category
        }.values()
    )


def test_records_that_two_wards_return(said, crimes):
    records = [crime["id"] for found in crimes.values() for _, crime in found]
    more = len(records) - len(set(records))

    assert f"{more:,} of {len(records):,} records" in said


def test_thefts_of_bicycles_in_one_ward_and_one_season(said, crimes):
    thefts = distinct(crimes["kingston"], "bicycle-theft")
    wards = {crime["id"] for ward, crime in crimes["kingston"] if ward == GROVE}
    here = sum(crime["id"] in wards for _, crime in thefts)
    summer = sum(crime["month"] in SUMMER for _, crime in thefts)

    assert (
        f"Of {len(thefts)} thefts of bicycles in Kingston, {here} ({here / len(thefts):.0%})"
        in said
    )
    assert f"{summer} ({summer / len(thefts):.0%}) from June to August" in said


@pytest.mark.parametrize(("council", "ward"), [("kingston", GROVE), ("sutton", SUTTON_CENTRAL)])
def test_shoplifting_in_the_town_centres(said, crimes, council, ward):
    thefts = distinct(crimes[council], "shoplifting")
    wards = Counter(place for place, crime in crimes[council] if crime["category"] == "shoplifting")
    centre = {crime["id"] for place, crime in crimes[council] if place == ward}
    share = sum(crime["id"] in centre for _, crime in thefts) / len(thefts)

    assert wards.most_common(1)[0][0] == ward
    assert f"{share:.0%}" in said
