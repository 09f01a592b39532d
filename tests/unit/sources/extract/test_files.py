"""What is refused when a contract of files is read: places, patterns, combinations."""

from __future__ import annotations

from typing import Any

import pytest

from include.sources.model import Contract
from include.sources.rates import http_of
from tests.samples import column, contract

PATTERN = r"{council.name}_{period:%Y-%m}\.csv"
HTTP = {
    "from": "page",
    "url": "https://www.example.org/a?b=1",
    "rate": {"per_second": 1, "burst": 1},
}


def files(pattern: str = PATTERN, **changes: Any) -> Contract:
    asked = {"kind": "files", "from": "inbox", "pattern": pattern} | changes.pop("extract", {})
    columns = changes.pop("columns", [column("id")])
    return contract(*columns, extract=asked, **{"format": {"kind": "csv"}} | changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"from": "sftp"}, "`from: sftp` needs `connection`"),
        ({"from": "page"}, "`from: page` needs `url`"),
        ({"folder": "x"}, "`folder` does not apply to `from: inbox`"),
        ({**HTTP, "settle_seconds": 5}, "`settle_seconds` does not apply to `from: page`"),
        ({"from": "sftp", "connection": "a", "folder": "a/../b"}, "expected a folder without"),
        ({**HTTP, "url": "http://www.example.org/"}, "expected https://"),
        ({**HTTP, "url": "https://me:pw@example.org/"}, "it contains user information"),
        ({**HTTP, "url": "https://example.org/{period}"}, "without placeholders"),
        ({**HTTP, "private_hosts": ["x.example.org"]}, "`private_hosts` names"),
        ({**HTTP, "period_from": "modified"}, "a page does not say when"),
        ({"pattern": r"{council.name}_{period:%Y-%m"}, "expected a regular expression of RE2"),
        ({"pattern": r"{council.name}_{period:%Q}"}, "expected %Y"),
        ({"pattern": r"{council.name}_{period:%m}"}, "is not a day, a month or a year"),
        ({"pattern": r"{council.name}_{period}_{period}"}, "without a format once"),
        ({"pattern": r"{ward.code}_{period}"}, r"unknown placeholder \{ward.code\}"),
        ({"pattern": r"(?<=x){council.name}_{period}"}, "expected a regular expression of RE2"),
        ({"pattern": r"{council.name}_{period}(?P<copy>x)"}, "expected the groups"),
        ({"pattern": r"{council.name}(?P<part>a)(?P<part>b){period}"}, "redefinition of"),
        ({"ignore": r"(?!x)"}, "expected a regular expression of RE2"),
        ({"period_from": "modified"}, r"but `pattern` has \{period\}"),
        ({"pattern": r"{council.name}"}, r"expected \{period\}"),
        ({"pattern": r"{council.name}", "period_from": "records"}, "need each other"),
        ({"pattern": r"{period}"}, r"expected \{council.name\}"),
    ],
)
def test_a_contract_that_makes_no_sense_is_refused_when_it_is_read(changes, message):
    with pytest.raises(ValueError, match=message):
        files(extract=changes)


def test_a_snapshot_of_files_is_refused_and_so_is_a_council_without_one():
    with pytest.raises(ValueError, match="`snapshot` does not apply to files"):
        files(snapshot=True)
    with pytest.raises(ValueError, match="need `councils: each`"):
        files(councils="uk")
    with pytest.raises(ValueError, match=r"expected file.name, council.name"):
        files(columns=[column("id", request="ward.code")])


def test_a_selection_by_period_needs_a_column_that_quarantines_what_is_not_a_date():
    select = {"kind": "csv", "select": {"field": "paid", "period": "%d/%m/%Y"}}
    year = r"{council.name}_{period:%Y}\.csv"

    with pytest.raises(ValueError, match=r"`select\.period` needs a column with `path: paid`"):
        files(year, format=select)
    with pytest.raises(ValueError, match="needs a column"):
        files(year, format=select, columns=[column("paid", "date", format="%d/%m/%Y")])
    with pytest.raises(ValueError, match="expected the format of a whole date"):
        files(year, format={"kind": "csv", "select": {"field": "paid", "period": "%m/%Y"}})
    columns = [column("paid", "date", format="%d/%m/%Y", required=True)]
    assert files(year, format=select, columns=columns).values_kept() == ("period", "period.last")


def test_a_page_shares_the_rate_of_its_host():
    found = http_of(files(extract=HTTP))

    assert (found.host, found.request.path, found.request.query) == (
        "www.example.org",
        "/a",
        {"b": "1"},
    )
    assert http_of(files()) is None
