"""What the OpenLineage specification requires of events, beyond what its client checks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import attr
from openlineage.client import event_v2, facet_v2

ENDS = ("COMPLETE", "FAIL", "ABORT")


def problems(events: Iterable[Mapping[str, Any]]) -> list[str]:
    """What is wrong with these events; each run must begin once and end once."""
    found: list[str] = []
    runs: dict[tuple[str, str], list[str]] = defaultdict(list)
    for event in events:
        found += _of_event(event)
        job, run = event.get("job", {}).get("name"), event.get("run", {}).get("runId")
        runs[job, run].append(event.get("eventType", ""))
    for (job, _), states in runs.items():
        if states.count("START") != 1 or states[0] != "START":
            found.append(f"{job}: {states} does not begin with one START")
        if sum(state in ENDS for state in states) != 1:
            found.append(f"{job}: no event ends the run")
    return found


def _of_event(event: Mapping[str, Any]) -> Iterator[str]:
    try:
        event_v2.RunState(event["eventType"])
        UUID(event["run"]["runId"])
        if datetime.fromisoformat(event["eventTime"]).tzinfo is None:
            yield f"{event['eventTime']} has no zone"
        if not urlsplit(event["producer"]).scheme:
            yield f"{event['producer']} is not a URI"
        if not event["schemaURL"].endswith("#/$defs/RunEvent"):
            yield f"{event['schemaURL']} is not that of a run"
        parts = [event["run"], event["job"], *event["inputs"], *event["outputs"]]
        for dataset in parts[1:]:
            if not (dataset["namespace"] and dataset["name"]):
                yield f"{dataset} has no name"
        for part in parts:
            for kind in ("facets", "inputFacets", "outputFacets"):
                for name, facet in part.get(kind, {}).items():
                    yield from _of_facet(name, facet)
    except (KeyError, ValueError, TypeError) as error:
        yield f"{type(error).__name__}: {error}"


def _of_facet(name: str, facet: Mapping[str, Any]) -> Iterator[str]:
    """The client's class of a facet, which its schema's URL names, knows all that is in it."""
    for required in ("_producer", "_schemaURL"):
        if not urlsplit(facet[required]).scheme:
            yield f"{name}: {required} is not a URI"
    known = {
        title: kind
        for module in vars(facet_v2).values()
        for title, kind in getattr(module, "__dict__", {}).items()
        if title.endswith("Facet")
    }
    title = facet["_schemaURL"].rpartition("/")[2]
    if title not in known:
        yield f"{name}: {title} is not a facet of the specification"
        return
    fields = attr.fields(known[title])
    if extra := facet.keys() - {field.name for field in fields}:
        yield f"{name}: {title} has no {', '.join(sorted(extra))}"
    for field in fields:
        if field.default is attr.NOTHING and field.name not in facet:
            yield f"{name}: {title} needs {field.name}"
