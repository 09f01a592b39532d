"""XML: records in documents, what proves that they are the data, and what is never read."""

from __future__ import annotations

import gzip
import io
import json
import tracemalloc
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.errors import BeyondLimit, UnexpectedPayload
from include.records.diagnose import diagnose
from include.records.json.values import BodyCutShort
from include.records.read import envelope_body, read_records
from include.sources.limits import Limits
from tests.unit.records.reading import layout, read, texts

MIB = 1024 * 1024
STATIONS = (
    b'<?xml version="1.0"?><stations total="2"><!-- of the borough --><list>'
    b'<station id="A1"><name>Hogsmill</name><river/></station>'
    b'<station id="B2"><name>Beddington</name><name>Wandle</name></station>'
    b"</list></stations>"
)
RECORDS = [
    {"@id": "A1", "name": "Hogsmill", "river": None},
    {"@id": "B2", "name": ["Beddington", "Wandle"]},
]


def form(*columns: str, records: str = "stations.list.station", **words: Any) -> Any:
    return layout(*(columns or ("@id", "name")), kind="xml", records=records, **words)


def items(*columns: str, **words: Any) -> Any:
    return form(*(columns or ("a",)), records="list.item", **words)


def item(inside: str) -> bytes:
    return f"<list><item>{inside}</item></list>".encode()


def refused(body: bytes, of: Any, kind: type[Exception] = UnexpectedPayload) -> str:
    with pytest.raises(kind) as caught:
        read(body, of)
    return str(caught.value)


def test_attributes_children_and_repeated_children():
    assert read(STATIONS, form()) == RECORDS
    assert list(map(json.loads, texts(STATIONS, form()))) == RECORDS


@pytest.mark.parametrize(
    ("inside", "record"),
    [
        ("<a>x &amp; &#163;</a>", {"a": "x & £"}),
        ("<a><![CDATA[<b> & c]]> d</a>", {"a": "<b> & c d"}),
        ("<a> two  spaces </a>", {"a": " two  spaces "}),
        ("<a></a>", {"a": None}),
        ('<a u="m">1.50</a>', {"a": {"@u": "m", "#text": "1.50"}}),
        ('<a xsi:nil="true"/>', {"a": None}),
        ("<a>\n <b>1</b>\n</a>", {"a": {"b": "1"}}),
        ("<a>see <b>1</b> there</a>", {"a": {"b": "1", "#text": "see  there"}}),
        ("<a><b>1</b></a><a/><a>2</a>", {"a": [{"b": "1"}, None, "2"]}),
        ("<a/>text", {"a": None, "#text": "text"}),
        ('<g:a xmlns:g="urn:g" xmlns="urn:b">1</g:a>', {"g:a": "1"}),
        ("<a><item>1</item></a>", {"a": {"item": "1"}}),
    ],
)
def test_an_element_is_a_value(inside, record):
    assert read(item(inside), items(*record)) == [record]


def test_a_value_that_columns_lead_into_is_always_an_object():
    body = b'<list><item><a u="m">1</a></item><item><a>2</a></item><item><a/></item></list>'

    assert read(body, items("a.#text", "a.@u")) == [
        {"a": {"@u": "m", "#text": "1"}},
        {"a": {"#text": "2"}},
        {"a": {}},
    ]


def test_records_that_each_have_an_element_around_them():
    body = (
        b"<w:all xmlns:w='urn:w'><w:member><s>1</s></w:member><w:member><s>2</s></w:member></w:all>"
    )
    found = read(body, form("#text", records="w:all.w:member.s"))

    assert found == [{"#text": "1"}, {"#text": "2"}]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('<?xml version="1.0" encoding="windows-1252"?><list><item><a>£</a></item></list>', {}),
        ('<?xml version="1.0" encoding="ISO-8859-1"?><list><item><a>£</a></item></list>', {}),
        ("<list><item><a>£</a></item></list>", {"encoding": "cp1252"}),
    ],
)
def test_the_declared_encoding_is_used(body, words):
    assert read(body.encode("cp1252"), items(**words)) == [{"a": "£"}]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "utf-8", "shift_jis", "utf-16-be"])
def test_other_encodings(encoding):
    body = f'<?xml version="1.0" encoding="{encoding}"?><list><item><a>東京</a></item></list>'

    assert read(body.encode(encoding), items()) == [{"a": "東京"}]


def test_a_program_that_declares_utf_16_and_writes_utf_8_is_understood():
    body = '<?xml version="1.0" encoding="utf-16"?><list><item><a>£</a></item></list>'

    assert read(body.encode(), items()) == [{"a": "£"}]


def test_an_unknown_encoding_is_refused():
    body = b'<?xml version="1.0" encoding="x-none"?><list><item><a>1</a></item></list>'

    assert "found 'x-none'" in refused(body, items())


def test_a_compressed_document():
    assert read(gzip.compress(STATIONS), form()) == RECORDS


# --- what proves that it is the data -----------------------------------------------------------


@pytest.mark.parametrize("size", range(1, len(STATIONS)))
def test_a_document_that_is_cut_short_anywhere_is_not_complete(size):
    with pytest.raises(BodyCutShort):
        read(STATIONS[:size], form())


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"<error><code>7</code></error>", "expected the element 'stations', found 'error'"),
        (b"<stations><error>x</error></stations>", "'stations' with 'error'"),
        (b"<stations><list><gauge/></list></stations>", "'list' with 'gauge'"),
        (b"<stations/>", "'stations' with no elements in it"),
        (
            b"<stations><error>quota</error><list><station id='1'><name>n</name></station></list>"
            b"</stations>",
            "found 1 records and `error`",
        ),
        (b"<stations status='error'><list/></stations>", "found no records and `status`"),
        (b"<stations><list><station><x/></station></list></stations>", "found 1 without, found x"),
    ],
)
def test_a_document_that_is_not_the_data_is_refused(body, said):
    assert said in refused(body, form())


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"<stations><list/></stations>", {}),
        (b"<stations total='0'><list>\n</list></stations>", {}),
        (b"<stations total='0'/>", {"envelope": ["stations.@total"]}),
    ],
)
def test_an_answer_that_shows_that_it_has_no_records(body, words):
    assert read(body, form(**words)) == []


def test_an_answer_without_its_envelope_is_refused():
    assert "expected 'stations.@total' beside" in refused(
        b"<stations><list/></stations>", form(envelope=["stations.@total"])
    )


@pytest.mark.parametrize(
    ("body", "said", "retry"),
    [
        (b"", "it is empty", True),
        (b"<html><body>Try again later</body></html>", "expected XML, found a web page", True),
        (b'{"error": "no"}', "expected XML, found JSON", False),
        (b"service unavailable", "expected XML, found text", True),
        (b"PK\x03\x04", "it is a zip file that is not complete", True),
        (STATIONS[:-20], "it is not complete XML", True),
        (b"<error>Service temporarily unavailable</error>", "expected the element", True),
    ],
)
def test_it_is_named_by_what_it_is(body, said, retry):
    with pytest.raises((BodyCutShort, UnexpectedPayload)) as caught:
        read(body, form())
    found = diagnose(caught.value, io.BytesIO(body), len(body), form())

    assert said in found.what
    assert found.retry is retry


def test_what_is_around_the_records():
    assert json.loads(envelope_body(io.BytesIO(STATIONS), form())) == {
        "stations": {"@total": "2", "list": {}}
    }


# --- what is never read -------------------------------------------------------------------------

ENTITIES = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
DANGEROUS = {
    "billion laughs": f'<!DOCTYPE list [<!ENTITY e0 "ha">{ENTITIES}]>',
    "an external entity": '<!DOCTYPE list [<!ENTITY e9 SYSTEM "file:///etc/passwd">]>',
    "an external document type": '<!DOCTYPE list SYSTEM "http://127.0.0.1:1/x.dtd">',
    "a parameter entity": '<!DOCTYPE list [<!ENTITY % e9 SYSTEM "http://127.0.0.1:1/"> %e9;]>',
    "defaults of attributes": '<!DOCTYPE list [<!ATTLIST item a CDATA "x">]>',
}


@pytest.mark.parametrize("prolog", DANGEROUS.values(), ids=DANGEROUS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_no_document_type_is_read(prolog, encoding):
    body = f"{prolog}<list><item><a>&e9;</a></item></list>".encode(encoding)

    assert "without a document type" in refused(body, items())


def test_an_entity_that_nobody_defined():
    assert "undefined entity" in refused(item("<a>&x;</a>"), items(), BodyCutShort)


def test_deep_elements_are_refused():
    assert "nested too deeply" in refused(item("<a>" * 300 + "</a>" * 300), items())


@pytest.mark.parametrize(
    "inside",
    [
        f"<a>{'n' * 2 * MIB}</a>",
        f"<a x='{'n' * 2 * MIB}'/>",
        f"<!--{'n' * 2 * MIB}-->",
        "<a/>" * 80_000,
    ],
    ids=["text", "attribute", "comment", "elements"],
)
@pytest.mark.parametrize("where", ["<list><item>{}</item></list>", "<list>{}<item/></list>"])
def test_what_is_too_large_is_refused(where, inside):
    form = items().with_limits(Limits(record_bytes=MIB))

    assert "`limits.record_bytes: 1048576`" in refused(
        where.format(inside).encode(), form, BeyondLimit
    )


class Stations(io.RawIOBase):
    """A document of many records that is made while it is read."""

    def __init__(self, count: int) -> None:
        self._pieces = self._made(count)
        self._rest = b""

    def _made(self, count: int):
        yield b"<stations><list>"
        for _ in range(count):
            yield STATIONS[STATIONS.index(b"<station id") : STATIONS.index(b"</list>")] + b"\n  "
        yield b"</list></stations>"

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, place: int, whence: int = 0) -> int:
        return place

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            self._rest = next(self._pieces, b"")
            if not self._rest:
                return 0
        size = min(len(buffer), len(self._rest))
        buffer[:size], self._rest = self._rest[:size], self._rest[size:]
        return size


def test_memory_stays_flat_however_large_a_document_is():
    from include.records.xml.records import xml_lines

    tracemalloc.start()
    count = sum(1 for _ in xml_lines(io.BufferedReader(Stations(30_000)), form()))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert count == 60_000
    assert peak < 2 * MIB


# --- round trips --------------------------------------------------------------------------------

NAMES = st.sampled_from(["a", "b", "n:c", "d-e", "é"])
CHARACTERS = st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff")
VALUES = st.text(CHARACTERS, min_size=1)
ELEMENTS = st.recursive(
    st.none() | VALUES,
    lambda inner: (
        st.dictionaries(NAMES, inner | st.lists(inner, min_size=2, max_size=3))
        .filter(bool)
        .flatmap(
            lambda found: st.dictionaries(st.sampled_from(["@x", "@y:z"]), VALUES).map(
                lambda attributes: attributes | found
            )
        )
    ),
    max_leaves=12,
)
ITEMS = st.lists(st.dictionaries(NAMES, ELEMENTS, min_size=1), max_size=5)


def as_xml(name: str, value: Any) -> str:
    """An element, or several."""
    if isinstance(value, list):
        return "".join(as_xml(name, one) for one in value)
    if not isinstance(value, dict):
        return f"<{name}>{escape(value or '')}</{name}>"
    marks = "".join(f" {k[1:]}={quoteattr(v)}" for k, v in value.items() if k[0] == "@")
    inside = "".join(as_xml(k, v) for k, v in value.items() if k[0] != "@")
    return f"<{name}{marks}>{inside}</{name}>"


@given(ITEMS, st.sampled_from(["utf-8", "utf-16"]))
def test_what_was_written_is_read(records, encoding):
    body = as_xml("list", {"item": records}) if records else "<list/>"
    form = layout("a", kind="xml", records="list.item").with_evidence(items().evidence.__class__())

    chunks = read_records(io.BytesIO(body.encode(encoding)), len(body), form)
    assert [record for chunk in chunks for record in chunk] == records
