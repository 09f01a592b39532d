"""How a contract requests the next page and recognises the last one, and what statuses mean."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from include.definitions import Definition, WrongField
from include.sources.paths import BodyPath, parts

NO_CONTENT = 204
ASK_LATER = {408, 429}


def _has_a_meaning_of_its_own(value: int) -> int:
    if value != NO_CONTENT and not 400 <= value <= 599:
        raise ValueError("expected 204 or a status from 400 to 599")
    if value in ASK_LATER:
        raise ValueError(f"HTTP {value} asks to come back later and says nothing about the data")
    return value


# Before the name of a header, a field of the last record, and a list of links.
HEADER, RECORD, RELATION = "header:", "record:", "rel:"
_HEADER_NAME = re.compile(r"[\w!#$%&'*+.^`|~-]+", re.ASCII)


def _is_somewhere(value: str) -> str:
    if value.startswith(HEADER) and not _HEADER_NAME.fullmatch(value.removeprefix(HEADER)):
        raise ValueError("expected the name of a header, like header:X-Total-Count")
    if value.startswith(RECORD) and not parts(value.removeprefix(RECORD)):
        raise ValueError("expected a field of the last record, like record:id")
    if value.startswith(RELATION) and not parts(value.removeprefix(RELATION)):
        raise ValueError("expected a list of links, like rel:links")
    if not value.startswith((HEADER, RECORD)):
        parts(value.removeprefix(RELATION))
    return value


# Where an answer says something of its paging: a path in its body, a header, or the last record.
SignalPath = Annotated[str, AfterValidator(_is_somewhere)]

Status = Annotated[int, AfterValidator(_has_a_meaning_of_its_own)]


class Paging(Definition):
    r"""How the next page is requested, and how the last one is recognised.

    Paths are names joined by dots; write a dot within a name as `\.`:
    `@odata\.nextLink`.

    - `total` ends the paging after that many distinct records;
    - otherwise `more`, if the answer has it: true means that another page
      follows, false that it was the last; `total_pages` says the same;
    - otherwise `offset` and `page` end with an empty page, because servers cap
      page sizes and a short page proves nothing; `cursor` and `link` end when
      the answer names no next page. `last_page` changes that.
    """

    kind: Literal["offset", "page", "cursor", "link"] = Field(
        description="What names the next page: the number of records so far, the page's number, a "
        "text in the answer, or an address in the answer or its header."
    )
    size: int = Field(default=0, ge=0, description="Number of records on a full page.")
    size_parameter: str = Field(default="", description="The parameter for the page size.")
    parameter: str = Field(
        default="", description="The parameter of the offset, page number or cursor."
    )
    location: Literal["query", "body"] = Field(
        default="query",
        description="Where `parameter` and `size_parameter` are sent. `body`: as fields of `form`, "
        "or at these paths of `json`: `page.offset`.",
    )
    first: int = Field(default=0, ge=0, description="The first offset or page number.")
    first_cursor: str = Field(
        default="", description="The cursor of the first request, if any: `*`."
    )
    next: SignalPath = Field(
        default="",
        description="Path in the body to the cursor or link of the next page. `header`: the header "
        "Link with rel=next; `header:X-Next`: this header; `rel:links`: of this list of links, the "
        "one whose `rel` or `relation` is `next`; `record:id`: this field of the page's last "
        "record, which can be a list if it is sent in JSON.",
    )
    more: SignalPath = Field(
        default="",
        description="Path in the body to a flag that says whether another page follows: "
        "`has_more`, `exceededTransferLimit`. An answer without the flag decides nothing.",
    )
    total: SignalPath = Field(
        default="",
        description="Path in the body to the total number of records, or `header:X-Total-Count`; "
        "for `header:Content-Range`, the part after the slash. Records are counted once per `key`. "
        "If the total changes or is not reached, the pages are fetched again; then the fetch "
        "fails.",
    )
    total_pages: SignalPath = Field(
        default="",
        description="Path in the body to the number of pages, or `header:X-Total-Pages`: the last "
        "page is the one with this number. If it changes, the pages are fetched again.",
    )
    last_page: Literal["", "short", "empty"] = Field(
        default="",
        description="`short`: the API documents that a page of fewer than `size` records is the "
        "last. `empty`: only an empty page is the last, even if each names a next page.",
    )
    end_status: tuple[Status, ...] = Field(
        default=(), description="Statuses that mean the end, after at least one page: 404."
    )
    may_repeat: bool = Field(
        default=False,
        description="Records may repeat on a later page. Otherwise a repeated `key` means "
        "that the order changed between two pages: they are fetched again; then the fetch fails.",
    )
    max_pages: int = Field(
        default=1_000, ge=1, description="Maximum number of pages per request; more are an error."
    )
    until_two_agree: bool = Field(
        default=False,
        description="The order can change while paging: fetch all pages until two passes hold "
        "the same records.",
    )

    @model_validator(mode="after")
    def _has_what_its_kind_needs(self) -> Paging:
        by_position = self.kind in ("offset", "page")
        if by_position and not (self.size and self.parameter):
            raise WrongField(f"`kind: {self.kind}` needs `size` and `parameter`", "kind")
        if self.kind == "cursor" and not (self.next and self.parameter):
            raise WrongField("`kind: cursor` needs `next` and `parameter`", "kind")
        if self.kind == "link" and not self.next:
            raise WrongField("`kind: link` needs `next`", "kind")
        if self.first_cursor and self.kind != "cursor":
            raise WrongField("`first_cursor` needs `kind: cursor`", "first_cursor")
        if self.last_page == "short" and not self.size:
            raise WrongField("`last_page: short` needs `size`", "last_page")
        return self

    @model_validator(mode="after")
    def _reads_where_it_can(self) -> Paging:
        for field in ("more", "total", "total_pages"):
            if getattr(self, field).startswith((RECORD, RELATION)):
                raise WrongField("only `next` is read in a record, or a list of links", field)
        if self.next.startswith(RELATION) and self.kind != "link":
            raise WrongField("a list of links needs `kind: link`", "next")
        if self.next.startswith(RECORD) and self.kind != "cursor":
            raise WrongField("a field of the last record needs `kind: cursor`", "next")
        if self.total_pages and (self.kind != "page" or self.more):
            raise WrongField("`total_pages` needs `kind: page`, without `more`", "total_pages")
        if self.next and self.kind in ("offset", "page"):
            raise WrongField(f"`next` does not apply to `kind: {self.kind}`", "next")
        return self


class Answers(Definition):
    """What a status other than 200 means, and what a field of an answer does not mean.

    By default, 408, 429 and 5xx are retried and all others fail. 202 is
    polled, and 206 is read if it holds the whole body or a whole page.
    """

    not_published: tuple[Status, ...] = Field(
        default=(), description="The period is not available (yet): 404, 204."
    )
    empty: tuple[Status, ...] = Field(
        default=(), description="There are no records for this request: 204."
    )
    empty_is_not_published: bool = Field(
        default=False, description="A recent period without any record is not available yet."
    )
    too_large: tuple[Status, ...] = Field(
        default=(), description="The area has too many records: split it and request its parts."
    )
    unknown_ward: tuple[Status, ...] = Field(
        default=(), description="The API does not know this ward."
    )
    fail_at_once: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        default=(),
        description="Texts in a 429's body that mean: no more today. The task fails at once.",
    )
    ignore: tuple[BodyPath, ...] = Field(
        default=(),
        description="Paths of fields that do not name another page, or a total of the records, "
        "although their names suggest it: `links.next`, `count`; or `header` for headers.",
    )
