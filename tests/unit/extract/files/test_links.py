"""The links of a page, whatever it is made of, in bounded time and memory."""

from __future__ import annotations

import io
import tracemalloc

import pytest

from include.extract.files.links import _anchors


def anchors(page: str) -> list[tuple[str, str]]:
    return [(href, text) for href, text, _ in _anchors("things", io.BytesIO(page.encode()))]


@pytest.mark.parametrize(
    ("page", "found"),
    [
        ('<a class="x>y" href="1.csv">One</a>', [("1.csv", "One")]),
        (
            "<A\nHREF='1.csv?a=1&amp;b=2' >One &amp; <b>two</b></A >",
            [("1.csv?a=1&b=2", "One & two")],
        ),
        ("<a href=1.csv>One<a href=2.csv>Two", [("1.csv", "One"), ("2.csv", "")]),
        ('<base href="/files/"><a href="1.csv">One</a>', [("/files/1.csv", "One")]),
        ("<a href='1.csv>One</a> <a href=2.csv>Two</a>", [("2.csv", "Two")]),
        ('<a href="1.csv"', []),
        ("<a >One</a>", []),
        ("<abbr href=1.csv>One</abbr>", []),
    ],
)
def test_links_are_found_with_their_texts(page, found):
    assert anchors(page) == found


@pytest.mark.parametrize("attributes", ["x", "''", '"">'])
def test_a_tag_without_an_end_takes_little_more_memory_than_the_page(attributes):
    page = b"<a " + attributes.encode() * (1_000_000 // len(attributes))
    _anchors("things", io.BytesIO(b"<a href=1.csv>One</a>"))
    tracemalloc.start()
    try:
        found = _anchors("things", io.BytesIO(page))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert found == []
    assert peak < 20 * len(page)


def test_an_entity_with_more_digits_than_python_reads_is_left_as_it_is():
    entity = f"&#{'9' * 5000};"

    assert anchors(f"<a href='{entity}.csv'>A {entity}</a><a href=2.csv>B &amp; C</a>") == [
        (f"{entity}.csv", f"A {entity}"),
        ("2.csv", "B & C"),
    ]
