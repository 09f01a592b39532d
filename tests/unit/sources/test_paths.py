"""Paths: names joined by dots, with a backslash before a dot that belongs to a name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.sources.paths import joined, parts


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("", ()),
        ("items", ("items",)),
        ("meta.total", ("meta", "total")),
        (r"@odata\.nextLink", ("@odata.nextLink",)),
        (r"geo\.lat.value", ("geo.lat", "value")),
        (r"a\\.b", ("a\\", "b")),
        ("*.events", ("*", "events")),
        ("line\nbreak.x", ("line\nbreak", "x")),
    ],
)
def test_a_path_is_split_at_its_dots(path, names):
    assert parts(path) == names


@pytest.mark.parametrize("path", [".", "a.", ".a", "a..b", "a\\", r"a\b"])
def test_a_path_with_an_empty_name_or_a_stray_backslash_is_refused(path):
    with pytest.raises(ValueError, match=r"expected names joined by dots"):
        parts(path)


@given(st.lists(st.text(min_size=1), max_size=4))
def test_any_names_come_back_from_their_path(names):
    assert parts(joined(names)) == tuple(names)
