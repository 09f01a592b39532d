"""Two states of one partition of an API, made up, with records that are spoilt and repeated."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

from include.councils.model import council

SOURCE, COUNCIL, PERIOD = "police_street_crime", "kingston", "2017-05"
WARDS = [ward.code for ward in council(COUNCIL).wards_on(date(2026, 11, 21))]
# Records of each ward, in the two states: every third crime is known in both.
STATES = {"A": 20, "B": 26}


def write_state(payloads: Path, state: str) -> None:
    """Let the sandbox, which looks bodies up at each request, answer with this state."""
    folder = payloads / "police" / "crimes" / COUNCIL / PERIOD
    folder.mkdir(parents=True, exist_ok=True)
    (payloads / "police" / "boundaries").mkdir(exist_ok=True)
    for number, ward in enumerate(WARDS):
        new = folder / f"{ward}.new"
        new.write_text(json.dumps(records_of(state, number)))
        new.replace(folder / f"{ward}.json")


def records_of(state: str, ward: int) -> list[dict[str, Any]]:
    """The records of the ward with this number; two wards hold some that are not right."""
    records = [crime(state, ward * 1000 + number) for number in range(STATES[state] + ward)]
    if ward == 3:
        records[5]["category"] = f"Not a slug, {state}"
        records.append(records[0])
    if ward == 7:
        # The same key, and something else: one of them cannot be right.
        records.append(records[1] | {"context": f"contradicts, {state}"})
    return records


def crime(state: str, number: int) -> dict[str, Any]:
    """One record, as the police's API writes it."""
    known = number % 3 == 0
    return {
        "id": number,
        "category": ("burglary", "drugs", "shoplifting")[number % 3],
        "month": PERIOD,
        "persistent_id": "",
        "location": {
            "latitude": f"51.{400_000 + number}",
            "longitude": f"-0.{300_000 + number}",
            "street": {"id": number % 9, "name": f"On or near Street {number % 9}"},
        },
        "outcome_status": {"category": "Under investigation", "date": PERIOD} if known else None,
        "context": "" if known else state,
        "unheard_of": state,
    }
