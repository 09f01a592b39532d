"""XML as a stream of elements, by expat.

A document type is refused before anything in it is read, so there are no
entities but the five of XML itself: nothing is expanded, nothing external is
requested. Depth and the size of each tag are limited, so memory stays flat.
https://docs.python.org/3/library/xml.html#xml-security
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any, Protocol
from xml.parsers import expat

from include.errors import BeyondLimit, UnexpectedPayload
from include.records.json.values import BodyCutShort

CHUNK_BYTES = 64 * 1024
MOST_DEPTH = 200
# A tag has its attributes in memory at once, which take some times their size.
TAGS_IN_RECORD = 4


class Handler(Protocol):
    """Receives the elements; what it puts into `found` is yielded while parsing continues."""

    found: list[Any]

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """An element begins."""

    def end(self, name: str) -> None:
        """An element ends."""

    def text(self, text: str) -> None:
        """Text in the element that began last; one text may come in pieces."""


class _Guard:
    """Passes what expat finds to a handler, and counts it."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self.depth = 0
        self.seen = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self.seen = True
        self.depth += 1
        if self.depth > MOST_DEPTH:
            raise UnexpectedPayload(
                f"expected XML, found elements nested too deeply: more than {MOST_DEPTH}"
            )
        self._handler.start(name, attributes)

    def end(self, name: str) -> None:
        self.depth -= 1
        self._handler.end(name)

    def text(self, text: str) -> None:
        self.seen = True
        self._handler.text(text)

    def other(self, *_: Any) -> None:
        """A comment or an instruction."""
        self.seen = True

    def doctype(self, *_: Any) -> None:
        raise UnexpectedPayload(
            "expected XML without a document type, found <!DOCTYPE, which can define entities "
            "and is never read"
        )


def parse(
    body: IO[bytes], handler: Handler, limit: int, *, namespaces: bool = False
) -> Iterator[Any]:
    """Parse a body in UTF-8 to its end, and yield what the handler finds.

    `limit` is that of a record's bytes. With `namespaces`, names begin with
    the namespace's URI and a space. Raises `BodyCutShort` for XML that is not
    well-formed to its end, `UnexpectedPayload` for a document type or elements
    nested too deeply, and `BeyondLimit` for a tag that is too large.
    """
    guard = _Guard(handler)
    parser = _parser(guard, namespaces)
    most = max(CHUNK_BYTES, limit // TAGS_IN_RECORD)
    quiet = 0
    try:
        while chunk := body.read(CHUNK_BYTES):
            guard.seen = False
            parser.Parse(chunk, False)
            quiet = 0 if guard.seen else quiet + len(chunk)
            if quiet > most:
                raise BeyondLimit(
                    f"expected XML, found a tag or comment of more than {most} bytes, a quarter of "
                    "what a record may have",
                    "record_bytes",
                    limit,
                )
            if handler.found:
                yield from handler.found
                handler.found.clear()
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        raise BodyCutShort(f"it is not complete XML: {error}") from None
    yield from handler.found
    handler.found.clear()


def _parser(guard: _Guard, namespaces: bool) -> expat.XMLParserType:
    # Bodies are in UTF-8, whatever encoding the prolog declares.
    parser = expat.ParserCreate("utf-8", " " if namespaces else None)
    parser.buffer_text = True
    parser.buffer_size = CHUNK_BYTES
    parser.StartElementHandler = guard.start
    parser.EndElementHandler = guard.end
    parser.CharacterDataHandler = guard.text
    parser.CommentHandler = guard.other
    parser.ProcessingInstructionHandler = guard.other
    parser.StartDoctypeDeclHandler = guard.doctype
    return parser
