"""All pages of the dashboard."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import pyarrow as pa

from include.publish.about import About
from include.publish.describe.schema_org import linked_data
from include.publish.site import crime, outcomes, planning, rivers, spending, weather, words
from include.publish.site.figures import Section, Topic
from include.publish.site.render import Renderer, assets
from include.publish.site.tables import Marts
from include.publish.site.wards import Ward, wards

TOPICS = (
    Topic("crime", "Crime", "By ward, kind and month", crime.section),
    Topic("outcomes", "Outcomes of crimes", "How many have one, and how soon", outcomes.section),
    Topic(
        "rivers",
        "Rivers",
        "Levels against their typical range, weather beside them",
        rivers.section,
    ),
    Topic("weather", "Weather", "Rain and temperature of each day", weather.section),
    Topic("spending", "Spending", "Payments over £500 by supplier", spending.section),
    Topic("planning", "Planning", "Applications, and time to a decision", planning.section),
)
# A topic's page shows the figures of so many councils; of more, their findings and links.
_COUNCILS_IN_FULL = 2


def pages(tables: Mapping[str, pa.Table], about: About) -> Iterable[tuple[str, bytes]]:
    """The dashboard's files: (path relative to its root, content).

    `tables` holds the published marts by name. A mart that is missing or empty, or lacks a council
    or months, is named on the pages that would show it. The same tables and `about` give the same
    bytes. Raises PermanentError if a mart lacks a column that the pages show.
    """
    marts = Marts.of(tables)
    councils = _councils(marts, about)
    sections = {
        topic.name: [
            Section(name, title, topic.section(marts, name, title))
            for name, title in councils.items()
        ]
        for topic in TOPICS
    }
    areas = {name: wards(marts, name) for name in councils}
    return _rendered(about, councils, sections, areas)


def _councils(marts: Marts, about: About) -> dict[str, str]:
    """The titles of all councils by name, in the order of their titles."""
    names = set(about.councils) | marts.councils()
    titles = {name: about.councils.get(name, name) for name in names}
    return dict(sorted(titles.items(), key=lambda item: (item[1], item[0])))


def _rendered(
    about: About,
    councils: Mapping[str, str],
    sections: Mapping[str, Sequence[Section]],
    areas: Mapping[str, Sequence[Ward]],
) -> Iterator[tuple[str, bytes]]:
    of_council = {
        name: [(topic, sections[topic.name][n]) for topic in TOPICS]
        for n, name in enumerate(councils)
    }
    renderer = Renderer(about, {"councils": councils, "topics": TOPICS})
    yield renderer.page(
        "index.html", "index.html", of_council=of_council, heading=_heading(list(councils.values()))
    )
    for name, title in councils.items():
        yield renderer.page(
            f"council/{words.file_name(name)}.html",
            "council.html",
            council=name,
            title=title,
            parts=of_council[name],
            wards=areas[name],
        )
        for ward in areas[name]:
            yield renderer.page(ward.href, "ward.html", ward=ward, title=ward.name)
    for topic in TOPICS:
        yield renderer.page(
            f"topic/{topic.name}.html",
            "topic.html",
            topic=topic,
            title=topic.title,
            sections=sections[topic.name],
            in_full=len(councils) <= _COUNCILS_IN_FULL,
        )
    yield renderer.page(
        "data.html",
        "data.html",
        title="Open data",
        datasets=[dataset for _, dataset in sorted(about.datasets.items())],
        linked_data=linked_data(about),
    )
    yield from assets()


def _heading(titles: Sequence[str]) -> str:
    if not titles:
        return "No council yet"
    return f"{words.joined(titles) if len(titles) <= 3 else f'{len(titles)} councils'} in figures"
