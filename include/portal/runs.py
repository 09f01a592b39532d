"""The forms that start a run: what they are filled with. Airflow's own API starts it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from include.portal.words import link
from include.sources.extract.landing import LandingExtract
from include.sources.model import Contract
from include.sources.partition import Partition

FETCH, RELOAD, REPLAY = "fetch", "reload", "replay"
TITLES = {
    FETCH: "Fetch again",
    RELOAD: "Reload from S3",
    REPLAY: "Replay the quarantine",
}
MEANINGS = {
    FETCH: "Asks the API again, lands what it returns, and loads that.",
    RELOAD: "Loads the newest landing again from S3, without calling the API.",
    REPLAY: "Reloads every partition of the source that has quarantined records, after the "
    "contract was fixed.",
}


@dataclass(frozen=True)
class Form:
    """A form for one run: the DAG, and the parameters that it begins with."""

    doing: str
    title: str
    meaning: str
    dag_id: str
    parameters: dict[str, Any]
    back: str

    @property
    def as_json(self) -> str:
        """The parameters as people paste them into Airflow's own form."""
        return json.dumps(self.parameters, indent=2)


def form(doing: str, contract: Contract, partition: Partition) -> Form | None:
    """The form for a partition; None if there is no such form for its source."""
    if doing not in TITLES:
        return None
    place = {"source": partition.source, **partition.place}
    back = link("partition", **place)
    parameters: dict[str, Any] = {"source": contract.name}
    if doing == REPLAY:
        dag_id = "replay_quarantine"
    else:
        dag_id = f"ingest_{contract.name}"
        period = None if contract.period == "all" else str(partition.period)
        if contract.snapshot and doing == FETCH:
            # Its API has the current period only.
            period = None
        parameters = {
            "councils": [partition.council],
            "from": period,
            "to": period,
            "mode": doing,
            "force": False,
            "dry_run": False,
        }
    return Form(doing, TITLES[doing], MEANINGS[doing], dag_id, parameters, back)


def forms_of(contract: Contract, partition: Partition) -> list[tuple[str, str]]:
    """Title and address of each form that suits a partition."""
    place = {"source": partition.source, **partition.place}
    titles = dict(TITLES)
    if isinstance(contract.extract, LandingExtract):
        titles[FETCH] = "Derive again"
    return [(title, link("run", do=doing, **place)) for doing, title in titles.items()]
