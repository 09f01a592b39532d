"""The dashboard's pages: complete, honest about what is missing, and safe whatever the data say."""

from __future__ import annotations

import hashlib
import json
import os
import posixpath
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path

import pyarrow as pa
import pytest
import yaml

from include.errors import PermanentError
from include.publish.site import words
from include.publish.site.build import TOPICS, pages
from include.publish.site.tables import SCHEMAS, Marts
from tests.dashboard_tables import (
    COUNCILS,
    LAST_DAY,
    LONG,
    WARDS,
    about,
    ages,
    applications,
    conditions,
    crimes,
    levels,
    month,
    odd,
    payments,
    stations,
    summary,
    table,
    tables,
    wards,
    weather,
)  # fmt: skip

MARTS = Path("dbt_project/models/marts")
LARGEST_PAGE = 300_000
HOSTILE = """<script>alert('x')</script>"&{{ 7 * 7 }}"""


class Page(HTMLParser):
    """What a browser finds in a page: its elements, links, ids and text."""

    def __init__(self, body: bytes) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(body.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.text += " " if tag in ("td", "dd") else ""

    def handle_data(self, data: str) -> None:
        self.text += data

    @property
    def links(self) -> list[str]:
        """All addresses that it leads to or loads."""
        found = [a.get("href") or a.get("src") for _, a in self.elements]
        return [link for link in found if link]

    @property
    def ids(self) -> list[str]:
        """All ids."""
        return [str(a["id"]) for _, a in self.elements if "id" in a]


def site(made: Mapping[str, pa.Table], councils: Mapping[str, str] = COUNCILS) -> dict[str, bytes]:
    written = list(pages(made, about(made, councils)))
    assert len(dict(written)) == len(written), "two pages have one path"
    return dict(written)


def words_of(body: bytes) -> str:
    return " ".join(Page(body).text.split())


@pytest.fixture(scope="module")
def whole() -> dict[str, bytes]:
    return site(tables())


def html(files: Mapping[str, bytes]) -> dict[str, bytes]:
    found = {path: body for path, body in files.items() if path.endswith(".html")}
    assert len(found) > 5
    return found


def test_there_is_a_page_for_each_council_ward_and_topic(whole):
    expected = {"index.html", "data.html"}
    expected |= {f"council/{name}.html" for name in COUNCILS}
    expected |= {f"ward/{code}.html" for codes in WARDS.values() for code in codes}
    expected |= {f"topic/{topic.name}.html" for topic in TOPICS}

    assert html(whole).keys() == expected


def test_every_link_leads_to_a_page_a_part_of_it_or_a_published_file(whole):
    published = {
        getattr(one, kind)
        for one in about(tables()).datasets.values()
        for kind in ("csv", "parquet", "json", "csvw")
    } | {about({}).catalogue, about({}).datapackage}
    ids = {path: set(Page(body).ids) for path, body in html(whole).items()}
    checked = 0
    for path, body in html(whole).items():
        for link in Page(body).links:
            target, _, part = link.partition("#")
            found = posixpath.normpath(posixpath.join(posixpath.dirname(path), target or path))
            found = path if not target else found
            assert found in whole or found in published, f"{path} links to {link}"
            assert not part or part in ids[found], f"{path} links to {link}"
            checked += 1
    assert checked > 200


def test_ids_are_unique_in_a_page(whole):
    for path, body in html(whole).items():
        ids = Page(body).ids
        assert len(ids) == len(set(ids)), path


def test_nothing_needs_a_script_a_style_or_another_host(whole):
    for path, body in html(whole).items():
        for tag, attributes in Page(body).elements:
            assert tag != "style", path
            assert not any(name.startswith("on") or name == "style" for name in attributes), path
            if tag == "script":
                is_data = attributes.get("type") == "application/ld+json"
                assert is_data or attributes.get("src", "").endswith("/site.js"), path
        assert "default-src 'none'" in body.decode()
    assert not re.findall(
        r"(?:src|href)=\"(?:https?:)?//", "".join(map(bytes.decode, whole.values()))
    )


def test_with_the_read_api_pages_may_request_it_and_no_other_host():
    made = tables()
    origin = "https://api.example.org"
    with_api = html(dict(pages(made, replace(about(made), api=origin))))
    for path, body in with_api.items():
        (policy,) = re.findall(r'Policy" content="([^"]+)"', body.decode())
        assert f"; connect-src {origin};" in policy
        assert ("assets/rows.js" in body.decode()) == (path == "data.html")
    named = re.findall(r'data-rows="(\w+)"', with_api["data.html"].decode())
    assert sorted(named) == sorted(made)
    assert b"connect-src" not in b"".join(html(site(made)).values())


def test_a_page_fits_its_budget(whole):
    sizes = {path: len(body) for path, body in whole.items()}

    assert max(sizes.values()) < LARGEST_PAGE, max(sizes, key=lambda path: sizes[path])


def test_the_same_tables_give_the_same_bytes_whatever_the_order_of_their_rows(whole):
    shuffled = {
        name: one.take(pa.array(reversed(range(one.num_rows)), pa.int64()))
        for name, one in tables().items()
    }
    assert site(shuffled) == whole


def test_another_process_makes_the_same_bytes(whole):
    code = (
        "import hashlib; from tests.unit.publish.site.test_pages import site, tables\n"
        "for path, body in site(tables()).items(): print(path, hashlib.sha256(body).hexdigest())"
    )
    seed = {**os.environ, "PYTHONHASHSEED": "1"}

    made = subprocess.check_output((sys.executable, "-c", code), env=seed, text=True).split()

    assert dict(zip(made[::2], made[1::2], strict=True)) == {
        path: hashlib.sha256(body).hexdigest() for path, body in whole.items()
    }


def test_a_finding_is_in_the_title_of_its_chart_on_all_pages(whole):
    finding = "Beddington North had the most: 300 crimes, 60% of all"

    for path in ("index.html", "council/sutton.html", "topic/crime.html"):
        assert finding in words_of(whole[path]), path


def test_each_figure_names_its_source_licence_date_and_file(whole):
    page = words_of(whole["council/sutton.html"])
    figures = page.count("Source: Street-level crime, data.police.uk; Open Government Licence v3.0")

    assert figures >= 12
    assert page.count("As of 26 November 2026, 15:01 UTC") == figures + 1  # the footer
    assert (
        '../../data/ward_crime_monthly/ward_crime_monthly.csv"'
        in whole["council/sutton.html"].decode()
    )


def test_a_ward_shows_its_figures(whole):
    page = words_of(whole["ward/E05000560.html"])

    assert "Crimes in 12 months 200 Oct 2025 to Sep 2026" in page
    assert "Rank in the council 2 of 2" in page
    assert "Cheam had as many crimes as in the year before" in page


def test_the_data_page_describes_every_dataset_for_people_and_for_machines(whole):
    page = Page(whole["data.html"])
    block = re.search(r'ld\+json">(.*?)</script>', whole["data.html"].decode(), re.DOTALL)
    assert block
    described = json.loads(block[1])["dataset"]

    assert [one["identifier"] for one in described] == sorted(tables())
    assert described[0]["distribution"][0] == {
        "@type": "DataDownload",
        "encodingFormat": "text/csv",
        "contentUrl": "../data/borough_conditions_daily/borough_conditions_daily.csv",
    }
    assert set(tables()) <= set(page.ids)
    weather = next(one for one in described if one["identifier"] == "weather_daily")
    assert weather["temporalCoverage"] == "2026-11-06/2026-11-25"
    assert weather["license"] == ["OGL v3.0"]
    assert "Weather daily 40 6 November 2026 to 25 November 2026" in words_of(whole["data.html"])


def test_names_between_backticks_in_a_description_are_code_and_never_markup():
    made = tables(["sutton"])
    one = about(made)
    told = {
        "weather_daily": "As `<b>rain</b>` & more.",
        "dim_ward": "An odd ` <i>alone</i>.",
    }
    described = {
        name: replace(dataset, description=told.get(name, ""))
        for name, dataset in one.datasets.items()
    }
    page = dict(pages(made, replace(one, datasets=described)))["data.html"].decode()

    assert "<p>As <code>&lt;b&gt;rain&lt;/b&gt;</code> &amp; more.</p>" in page
    assert "<p>An odd ` &lt;i&gt;alone&lt;/i&gt;.</p>" in page


def test_the_data_page_says_what_changed_in_each_version(whole):
    page = words_of(whole["data.html"])

    assert "26 November 2026, 15:01 UTC this version Version 0123456789abcdef" in page
    assert "Weather daily: rows: 1,200 added, 3 changed" in page
    assert page.count("No rows: only pages or descriptions.") == 1
    assert page.count("The first version.") == 1


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ({"added": 1, "removed": 0, "changed": 0, "new": True}, "new, with 1 row"),
        ({"added": 0, "removed": 9, "changed": 0, "gone": True}, "no longer published"),
        ({"added": 0, "removed": 9, "changed": 0}, "rows: 9 removed"),
        ({"added": 0, "removed": 0, "changed": 0}, "its description"),
        (
            {"added": 0, "removed": 0, "changed": 5, "columns_added": ["a", "b"]},
            "rows: 5 changed; columns added: a, b",
        ),
    ],
)
def test_a_change_is_described_in_words(counts, said):
    assert words.change(counts) == said


@pytest.mark.parametrize("mart", sorted(SCHEMAS.keys() - {"dim_ward", "dim_station"}))
def test_a_mart_that_is_not_published_is_named_and_distinguished_from_an_empty_one(mart):
    made = {name: table(name, []) for name in SCHEMAS}
    del made[mart]
    found = site(made, {"sutton": "Sutton"})

    text = " ".join(map(words_of, html(found).values()))
    other = "weather_daily" if mart != "weather_daily" else "ward_crime_monthly"
    assert f"dataset {mart} is not published" in text
    assert f"dataset {other} is published, but empty" in text


def test_without_any_mart_every_page_says_so():
    found = site({})

    index = words_of(found["index.html"])
    for name in COUNCILS.values():
        assert f"{name}, spending: No payments of {name}." in index
    assert "No open-data file is published yet." in words_of(found["data.html"])


def test_without_a_council_there_is_still_an_index():
    assert "Nothing is published yet" in words_of(site({}, {})["index.html"])


def test_an_empty_mart_is_distinguished_from_a_missing_one():
    made = {"weather_daily": table("weather_daily", [])}

    assert "weather_daily is published, but empty." in words_of(site(made)["topic/weather.html"])


def test_a_council_without_rows_says_that_others_have_some():
    made = tables() | {
        "supplier_spend_monthly": table("supplier_spend_monthly", payments("sutton"))
    }
    found = site(made)

    page = words_of(found["topic/spending.html"])
    assert "No payments of Kingston upon Thames" in page
    assert "has no rows for Kingston upon Thames; it has rows for other councils" in page
    assert "Hogsmill Care Ltd received the most" in page
    assert "Kingston upon Thames, spending: No payments" in words_of(found["index.html"])


def test_fifty_wards_long_names_and_single_rows_are_shown_within_the_budget():
    found = site(odd(), {"sutton": LONG})

    assert sum(path.startswith("ward/") for path in found) == 50
    assert max(len(body) for body in found.values()) < LARGEST_PAGE
    page = words_of(found["council/sutton.html"])
    assert f"{LONG}49 had the most: 4,900 crimes" in page
    assert f"{LONG} left its typical range: above it on 1 day, below it on 1 day" in page
    assert "the only day; 25 November 2026 was the wettest: 20.0 mm" in page


def test_a_year_without_any_crime_is_shown_as_zeros():
    rows = [{**row, "crimes": 0} for row in crimes("sutton", [month(n) for n in range(24)])]
    page = words_of(crime_only(rows)["council/sutton.html"])

    assert "No crimes in Sutton in two years" in page
    assert "No crimes in October 2025 to September 2026" in page
    assert "September 2026 0" in page


def test_a_council_without_any_ward_has_its_other_topics():
    made = {"weather_daily": table("weather_daily", weather("sutton"))}
    page = words_of(site(made, {"sutton": "Sutton"})["council/sutton.html"])

    assert "No mart names a ward of Sutton." in page
    assert "was the wettest day in Sutton" in page


def crime_only(rows, **others) -> dict[str, bytes]:
    made = {"ward_crime_monthly": table("ward_crime_monthly", rows)} | others
    return site(made, {"sutton": "Sutton"})


def test_a_missing_month_is_named_and_no_year_is_compared():
    rows = [
        row for row in crimes("sutton", [month(n) for n in range(24)]) if row["month"] != month(3)
    ]
    page = words_of(crime_only(rows)["council/sutton.html"])

    assert "No data for June 2026: the line breaks there." in page
    assert "No change on the year before: that needs 24 months without a gap." in page
    assert "than in the year before" not in page


def test_a_single_month_is_shown_as_such():
    page = words_of(crime_only(crimes("sutton", [month(0)]))["council/sutton.html"])

    assert "Sutton had 70 crimes in September 2026" in page


def test_a_month_without_crime_in_a_ward_is_zero_and_not_a_gap():
    rows = [
        row
        for row in crimes("sutton", [month(n) for n in range(24)])
        if (row["ward_code"], row["month"]) != ("E05000560", month(3))
    ]
    page = words_of(crime_only(rows)["ward/E05000560.html"])

    assert "June 2026 0" in page
    assert "No data for" not in page


def test_immature_months_are_marked_and_left_out_of_the_comparison():
    made = {
        "crime_outcomes_by_age": table(
            "crime_outcomes_by_age", ages("sutton", [month(n) for n in range(26)])
        )
    }
    page = words_of(site(made, {"sutton": "Sutton"})["council/sutton.html"])

    assert "75% of crimes in Sutton have an outcome within a year" in page
    assert "Mature months only: August 2024 to September 2025." in page
    assert "The newest 12 months of 26 cannot be compared yet" in page
    assert "September 2026 50.0% Still changing" in page
    assert "September 2025 75.0% Mature" in page


def test_without_a_mature_month_no_share_is_stated():
    rows = ages("sutton", [month(n) for n in range(3)])
    made = {"crime_outcomes_by_age": table("crime_outcomes_by_age", rows)}
    page = words_of(site(made, {"sutton": "Sutton"})["council/sutton.html"])

    assert "No month of Sutton is old enough to compare outcomes" in page
    assert "have an outcome within a year" not in page


def test_a_ward_without_a_boundary_is_in_the_table_and_named_below_the_map():
    shapes = wards("sutton")
    shapes[1]["geometry"] = None
    found = crime_only(
        crimes("sutton", [month(0)]),
        dim_ward=table("dim_ward", shapes),
        ward_crime_summary=table("ward_crime_summary", summary("sutton")),
    )

    assert "Without a boundary, so not on the map: Cheam." in words_of(found["council/sutton.html"])
    assert "No map: no boundary of this ward" in words_of(found["ward/E05000560.html"])
    assert "Where Beddington North is" in found["ward/E05000555.html"].decode()


def test_without_boundaries_there_is_a_table_and_no_map():
    found = crime_only(
        crimes("sutton", [month(0)]),
        ward_crime_summary=table("ward_crime_summary", summary("sutton")),
    )

    page = found["council/sutton.html"].decode()
    assert 'class="map"' not in page
    assert "No map: no boundaries of these wards are published." in page
    assert "Beddington North had the most" in page


def test_a_gauge_without_readings_on_some_days_says_so():
    rows = [row for row in levels("sutton") if row["day"] != LAST_DAY - timedelta(days=9)]
    rows[0]["readings"] = 40
    made = {"river_levels_daily": table("river_levels_daily", rows)}
    page = words_of(site(made, {"sutton": "Sutton"})["topic/rivers.html"])

    assert "Beddington Park was above its typical range on 3 of 19 days" in page
    assert "No reading on 1 day: the line breaks there." in page
    assert "1 day with fewer than 96 readings." in page


def rivers_of(**made) -> str:
    made = {"river_levels_daily": levels("sutton")} | made
    found = site({name: table(name, rows) for name, rows in made.items()}, {"sutton": "Sutton"})
    return words_of(found["topic/rivers.html"])


def test_a_gauge_is_held_against_both_ends_of_its_range_as_it_is_described_today():
    page = rivers_of(dim_station=stations("sutton"))

    assert "Beddington Park left its typical range: above it on 3 days, below it on 20" in page
    assert "shaded: typical, 0.30 to 0.70 m" in page


def test_a_range_without_a_lower_end_says_so():
    assert "Only the top of the typical range is known." in rivers_of(
        dim_station=stations("sutton", low=None)
    )
    page = rivers_of()
    assert "No lower end of typical ranges: the dataset dim_station is not published." in page
    assert "shaded: typical, up to 0.70 m" in page


def test_a_gauge_without_a_typical_range_says_so():
    rows = [{**row, "typical_high": None, "is_above_typical": False} for row in levels("sutton")]
    page = rivers_of(river_levels_daily=rows)

    assert "The Environment Agency gives no typical range for this gauge." in page
    assert "Without a typical range: Beddington Park." in page


def test_the_weather_is_shown_next_to_the_rivers():
    page = rivers_of(borough_conditions_daily=conditions("sutton"))

    assert "A river near Sutton was above its typical range on 3 of 20 days" in page
    assert "25 November 2026 20.0 mm -1.5 to 9.0 °C 30 km/h 1 of 1 Beddington Park +0.20 m" in page
    assert "25 November 2026 0.90 m 0.20 m 96 20.0 mm" in page
    assert "Bank holidays: Founders' Day, 6 November 2026." in page


def test_days_without_weather_or_rivers_are_counted():
    rows = conditions("sutton")
    rows[1]["rain_mm"] = None
    rows[2] |= {"gauges": 0, "metres_above_typical": None}
    del rows[3]
    page = rivers_of(borough_conditions_daily=rows)

    assert "No weather on 2 days of 20." in page
    assert "No rivers on 2 days of 20." in page


def test_rain_of_an_incomplete_day_is_shown_but_is_not_the_finding():
    made = {"weather_daily": table("weather_daily", weather("sutton"))}
    page = words_of(site(made, {"sutton": "Sutton"})["topic/weather.html"])

    assert "24 November 2026 was the wettest day in Sutton: 19.0 mm" in page
    assert "25 November 2026 20.0 mm" in page


def test_private_persons_are_not_suppliers():
    made = {"supplier_spend_monthly": table("supplier_spend_monthly", payments("sutton"))}
    page = words_of(site(made, {"sutton": "Sutton"})["topic/spending.html"])

    assert "Hogsmill Care Ltd received the most: £6,001, 23% of all" in page
    assert "£18,000 to private persons, whose names are redacted." in page


def test_planning_decisions_are_timed_and_the_waiting_counted():
    made = {"planning_applications": table("planning_applications", applications("sutton"))}
    page = words_of(site(made, {"sutton": "Sutton"})["topic/planning.html"])

    assert "Half of Sutton's planning decisions took 60 days or less; 1 is undecided" in page


def hostile(made: Mapping[str, pa.Table]) -> dict[str, pa.Table]:
    """The tables, with every text but keys of councils replaced by one that attacks."""
    changed = {}
    for name, one in made.items():
        rows = one.to_pylist()
        for row in rows:
            for column, value in row.items():
                if isinstance(value, str) and column not in ("council", "geometry"):
                    row[column] = HOSTILE + value
            row["council"] = HOSTILE
        changed[name] = table(name, rows)
    return changed


def test_whatever_the_data_say_is_text():
    made = hostile(tables(["sutton"]))
    one = about(made, {HOSTILE: HOSTILE})
    first = replace(
        next(iter(one.datasets.values())), title=HOSTILE, description=HOSTILE, attribution=HOSTILE
    )
    files = dict(pages(made, replace(one, datasets={**one.datasets, first.name: first})))

    for path, body in html(files).items():
        page = Page(body)
        scripts = [attributes for tag, attributes in page.elements if tag == "script"]
        assert all(s.get("src") or s.get("type") == "application/ld+json" for s in scripts), path
        assert "49" not in [word for word in page.text.split() if word.startswith("49")], path
        assert re.fullmatch(r"[A-Za-z0-9/._-]+", path)
        assert ".." not in path
    assert HOSTILE in Page(files["topic/spending.html"]).text


def test_a_mart_without_a_column_that_is_shown_fails_and_names_it():
    made = tables(["sutton"])
    made["weather_daily"] = made["weather_daily"].drop_columns(["rain_mm"])

    with pytest.raises(PermanentError, match=r"mart weather_daily lacks rain_mm"):
        site(made)


def test_a_page_that_shows_a_mart_without_declared_columns_fails_and_says_where_to_add_them():
    with pytest.raises(PermanentError, match=r"mart wet_days_monthly, .* SCHEMAS in .*tables\.py"):
        Marts.of(tables(["sutton"])).rows("wet_days_monthly", "sutton")


def test_a_mart_with_values_of_another_type_fails_and_names_it():
    made = tables(["sutton"])
    words = pa.array(["much"] * made["weather_daily"].num_rows)
    at = made["weather_daily"].column_names.index("rain_mm")
    made["weather_daily"] = made["weather_daily"].set_column(at, "rain_mm", words)

    with pytest.raises(PermanentError, match="mart weather_daily has columns of other types"):
        site(made)


def test_pages_read_only_columns_that_the_marts_promise():
    assert len(SCHEMAS) >= 9
    for mart, schema in SCHEMAS.items():
        (model,) = yaml.safe_load((MARTS / f"{mart}.yml").read_text())["models"]
        promised = {column["name"] for column in model["columns"]}
        assert schema.keys() <= promised, f"{mart}: {schema.keys() - promised}"


def test_with_many_councils_a_topic_lists_the_findings_instead_of_all_charts():
    names = {f"c{n}": f"Council {n}" for n in range(3)}
    rows = [{**row, "council": name} for name in names for row in payments("sutton")]
    found = site({"supplier_spend_monthly": table("supplier_spend_monthly", rows)}, names)

    page = found["topic/spending.html"].decode()
    assert "<svg" not in page.split("<main")[1]
    assert page.count("Hogsmill Care Ltd received the most") == 3
