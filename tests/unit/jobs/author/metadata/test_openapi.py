"""Which bodies are OpenAPI documents, found quickly in any body."""

from __future__ import annotations

import time

import pytest

from include.jobs.author.metadata.openapi import is_openapi


@pytest.mark.parametrize(
    "content",
    [
        b"openapi: 3.0.1\n",
        b"# A comment\n\n\n  swagger : '2.0'\r\n",
        b'{\r\n\t"openapi": "3.1.0",\n',
        b'{"openapi":"3.1.0","info":{"title":"Gauges"}}',
        b"\r\n \n\r\t'openapi': 3.0.0",
        b"\r \x0c\x0bswagger:\n\n 2.0",
    ],
)
def test_a_document_is_recognised_by_its_version_at_the_beginning_of_a_line(content):
    assert is_openapi(content)


@pytest.mark.parametrize(
    "content", [b"", b"openapi: 4.0", b"the openapi: 3.0", b"{}\n", b"id,openapi\n1,3.0\n"]
)
def test_another_body_is_not_a_document(content):
    assert not is_openapi(content)


@pytest.mark.parametrize("blank", [b"\n", b"\r\n", b" \n", b" "])
def test_a_body_of_blank_lines_is_told_apart_quickly(blank):
    begin = time.monotonic()

    assert not is_openapi(blank * 64 * 1024)

    assert time.monotonic() - begin < 2
