"""One message about all that a check found: what is wrong, why, what to do, and what is over.

Whatever comes from outside is one line of plain text here, and stays text in
every channel.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypedDict
from urllib.parse import quote

from include.jobs.alerts.problems import Problem, shown
from include.printable import one_line
from include.sources.model import Contract
from include.warehouse.books.alerts import OpenAlert

# Of more causes, or more places of one, the rest is counted.
MOST_CAUSES = 20
MOST_PLACES = 30

_WORDS: Mapping[str, str] = {
    "failed": "failed",
    "refused": "refused",
    "late": "late",
    "drifted": "fields drifted",
    "quarantine": "more in quarantine than usual",
    "volume": "unusual volume",
}


class Item(TypedDict):
    """One cause, with the places where it was met, and the link to the run or DAG."""

    source: str
    title: str
    owner: str
    kind: str
    places: list[str]
    more_places: int
    cause: str
    next_step: str
    link: str


class Content(TypedDict):
    """A message: `wrong` are the problems, `over` those that are resolved."""

    title: str
    wrong: list[Item]
    over: list[Item]
    more: int


@dataclass(frozen=True)
class About:
    """What a message is about, a source or a DAG of its own, and Airflow's address for links."""

    name: str
    title: str
    owner: str
    dag_id: str
    airflow_url: str

    @classmethod
    def of(cls, contract: Contract, airflow_url: str) -> About:
        """A source."""
        dag_id = f"ingest_{contract.name}"
        return cls(contract.name, contract.title, contract.owner, dag_id, airflow_url)

    def link(self, run_id: str) -> str:
        """The page of a run; without one, or for a run of the command line, of the DAG."""
        if not self.airflow_url:
            return ""
        dag = f"{self.airflow_url.rstrip('/')}/dags/{self.dag_id}"
        by_airflow = run_id and not run_id.startswith("wandle ")
        return f"{dag}/runs/{quote(run_id, safe='')}" if by_airflow else dag


def content_of(
    found: Sequence[tuple[About, Sequence[Problem], Sequence[OpenAlert]]], environment: str
) -> Content | None:
    """The message about sources, each with what to tell and what is over; None if nothing is."""
    wrong: list[Item] = []
    over: list[Item] = []
    for about, tell, all_clear in found:
        for problems in _grouped(tell):
            first = problems[0]
            wrong.append(
                _item(about, problems, first.text, first.next_step, about.link(first.run_id))
            )
        for alerts in _grouped(all_clear):
            over.append(_item(about, alerts, alerts[0].text, "", about.link("")))
    if not wrong and not over:
        return None
    more = max(0, len(wrong) - MOST_CAUSES) + max(0, len(over) - MOST_CAUSES)
    where = f"[wandle {environment}]" if environment else "[wandle]"
    return Content(
        title=f"{where} {_title(wrong, over)}",
        wrong=wrong[:MOST_CAUSES],
        over=over[:MOST_CAUSES],
        more=more,
    )


def as_text(content: Content) -> str:
    """The message as plain text."""
    lines: list[str] = []
    for item in content["wrong"]:
        lines += [
            f"{_heading(item)}: {_WORDS.get(item['kind'], item['kind'])}",
            f"Where: {_places(item)}",
            f"Cause: {item['cause']}",
            f"Next: {item['next_step']}",
            *([f"Open: {item['link']}"] if item["link"] else []),
            "",
        ]
    for item in content["over"]:
        lines += [
            f"{_heading(item)}: resolved ({_WORDS.get(item['kind'], item['kind'])})",
            f"Where: {_places(item)}",
            f"Cause: {item['cause']}",
            *([f"Open: {item['link']}"] if item["link"] else []),
            "",
        ]
    if content["more"]:
        lines += [f"And {content['more']} more. `wandle alerts` has all of them.", ""]
    return "\n".join(lines)


def _grouped(items: Iterable[Any]) -> list[list[Any]]:
    groups: dict[tuple[str, str], list[Any]] = {}
    for item in items:
        groups.setdefault((item.kind, item.cause), []).append(item)
    return list(groups.values())


def _item(
    about: About, group: Sequence[Problem | OpenAlert], cause: str, next_step: str, link: str
) -> Item:
    places = [shown(each.subject) for each in group]
    return Item(
        source=about.name,
        title=one_line(about.title),
        owner=one_line(about.owner),
        kind=group[0].kind,
        places=places[:MOST_PLACES],
        more_places=max(0, len(places) - MOST_PLACES),
        cause=cause,
        next_step=next_step,
        link=link,
    )


def _heading(item: Item) -> str:
    return f"{item['title']} ({item['source']}, owner {item['owner']})"


def _places(item: Item) -> str:
    more = f" and {item['more_places']} more" if item["more_places"] else ""
    return ", ".join(item["places"]) + more


def _title(wrong: Sequence[Item], over: Sequence[Item]) -> str:
    items = wrong or over
    sources = list(dict.fromkeys(item["title"] for item in items))
    who = sources[0] if len(sources) == 1 else f"{len(sources)} sources"
    if not wrong:
        return f"{who}: all clear"
    counts = {item["kind"]: 0 for item in wrong}
    for item in wrong:
        counts[item["kind"]] += len(item["places"]) + item["more_places"]
    said = (
        f"{count} {_WORDS[kind]}" if kind in ("failed", "refused") else _WORDS[kind]
        for kind, count in counts.items()
    )
    return f"{who}: {', '.join(said)}"
