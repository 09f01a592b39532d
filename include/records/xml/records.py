"""The records of an XML body: the elements at the contract's path.

An element is an object: its attributes are `@name`, its child elements have
their names as written, prefix included, and its text is `#text`. A child that
is repeated is a list. One with text alone is that text; an empty one is null.
These are the names of xmltodict, which other pipelines use, too:
https://github.com/martinblech/xmltodict
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import IO, Any

import msgspec

from include.errors import BeyondLimit, UnexpectedPayload
from include.records.recognise import error_beside
from include.records.xml.parser import parse
from include.sources.formats import Format
from include.sources.limits import VALUE_BYTES
from include.sources.paths import parts

ATTRIBUTE, TEXT = "@", "#text"
_NIL = {"@xsi:nil": "true"}
NAMES_SHOWN = 8

# A record and its bytes, written as JSON.
Line = tuple[Any, bytes]


def xml_lines(body: IO[bytes], layout: Format) -> Iterator[Line]:
    """The records in order, each written as JSON too.

    Raises `BodyCutShort` for a body that is not complete, `BeyondLimit`, and
    `UnexpectedPayload` for one without the elements that lead to the records.
    """
    body.seek(0)
    elements = Elements(layout)
    yield from parse(body, elements, layout.limits.record_bytes)
    elements.check_end()


def envelope(body: IO[bytes], layout: Format) -> dict[str, Any]:
    """A complete document without its records."""
    body.seek(0)
    elements = Elements(layout)
    for _ in parse(body, elements, layout.limits.record_bytes):
        pass
    return elements.around


class _Element:
    """An element that has begun; `on_path` if it and all above it lead to the records."""

    __slots__ = ("children", "name", "on_path", "text")

    def __init__(self, name: str, on_path: bool) -> None:
        self.name = name
        self.on_path = on_path
        self.children: dict[str, Any] = {}
        self.text: list[str] = []

    def add(self, name: str, value: Any) -> None:
        """One more child; the second one of a name makes a list."""
        if name not in self.children:
            self.children[name] = value
        elif isinstance(found := self.children[name], _Several):
            found.append(value)
        else:
            self.children[name] = _Several([found, value])

    def value(self, *, as_object: bool) -> Any:
        """What it is as a value of JSON."""
        text, found = "".join(self.text), self.children
        if found and not text.strip():
            if found == _NIL and not as_object:
                return None
            return found
        if not found and not as_object:
            return text or None
        if text:
            found[TEXT] = text
        return found


class _Several(list[Any]):
    """The values of a child that is repeated."""


class Elements:
    """Builds the records, and `around`: what the document holds besides."""

    def __init__(self, layout: Format) -> None:
        self.found: list[Line] = []
        self.around: dict[str, Any] = {}
        self._layout = layout
        self._path = layout.path
        self._limit = layout.limits.record_bytes
        # Where columns lead further in a record: these are objects, even with text alone.
        self._objects = frozenset(
            tuple(names[:length])
            for names in (path.split(".") for path in layout.evidence.dotted)
            for length in range(1, len(names))
        )
        self._open: list[_Element] = []
        self._inside = False
        # Bytes of the record that is open, and of all that is around records.
        self._record = self._around = 0
        self._records = self._holders = 0
        self._instead = ""

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """An element begins."""
        depth = len(self._open)
        on_path = (
            depth < len(self._path)
            and name == self._path[depth]
            and (not depth or self._open[-1].on_path)
        )
        if not depth and not on_path:
            raise UnexpectedPayload(f"expected the element {self._path[0]!r}, found {name[:80]!r}")
        self._inside = self._inside or (on_path and depth == len(self._path) - 1)
        element = _Element(name, on_path)
        size = 0 if on_path else len(name) + VALUE_BYTES
        for key, text in attributes.items():
            # Declarations of namespaces are not data.
            if key != "xmlns" and not key.startswith("xmlns:"):
                element.children[ATTRIBUTE + key] = text
                size += len(key) + len(text) + VALUE_BYTES
        self._grow(size)
        self._open.append(element)

    def text(self, text: str) -> None:
        """Text of the element that began last."""
        if self._inside or not text.isspace():
            self._grow(len(text))
            self._open[-1].text.append(text)

    def end(self, name: str) -> None:
        """An element ends: it becomes a record, or a value of the one above it."""
        element = self._open.pop()
        left = len(self._path) - len(self._open)
        if element.on_path and left == 1:
            record = element.value(as_object=True)
            self.found.append((record, msgspec.json.encode(record)))
            self._records += 1
            self._record, self._inside = 0, False
            return
        value = element.value(as_object=element.on_path or self._leads_on(name))
        if element.on_path and left == 2:
            self._holders += 1
            if any(not key.startswith(ATTRIBUTE) for key in value):
                self._instead = _shape({name: value})
        if not self._open:
            self.around = {name: value}
        elif value or not element.on_path or name not in self._open[-1].children:
            self._open[-1].add(name, value)

    def _leads_on(self, name: str) -> bool:
        if not self._inside or not self._objects:
            return False
        above = self._open[len(self._path) :]
        return (*(element.name for element in above), name) in self._objects

    def _grow(self, size: int) -> None:
        if self._inside:
            size = self._record = self._record + size
        else:
            size = self._around = self._around + size
        if size > self._limit:
            found = "one" if self._inside else "other elements"
            raise BeyondLimit(
                f"expected records, found {found} of more than {self._limit} bytes, a value "
                f"counted as at least {VALUE_BYTES}",
                "record_bytes",
                self._limit,
            )

    def check_end(self) -> None:
        """Raise `UnexpectedPayload` if the document does not show that it is the data."""
        where = f"at {self._layout.records!r}"
        for path in self._layout.envelope:
            if not _has(self.around, parts(path)):
                raise UnexpectedPayload(
                    f"expected {path!r} beside the records, found {_shape(self.around)}"
                )
        if not self._records and not self._layout.envelope:
            if not self._holders:
                raise UnexpectedPayload(f"expected elements {where}, found {_shape(self.around)}")
            if self._instead:
                raise UnexpectedPayload(f"expected elements {where}, found {self._instead}")
        above = map(_without_marks, _along(self.around, self._path))
        if said := error_beside(above, empty=not self._records):
            many = f"{self._records} records" if self._records else "no records"
            raise UnexpectedPayload(f"expected records {where}, found {many} and {said}")


def _has(found: Any, names: Sequence[str]) -> bool:
    for name in names:
        if not isinstance(found, dict) or name not in found:
            return False
        found = found[name]
    return True


def _along(found: dict[str, Any], names: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The objects on the way to the records, from the outermost."""
    level: list[Any] = [found]
    for name in names[:-1]:
        inner = [item.get(name) for item in level if isinstance(item, dict)]
        level = list(chain.from_iterable(i if isinstance(i, list) else [i] for i in inner))
        yield from (item for item in level if isinstance(item, dict))


def _without_marks(found: dict[str, Any]) -> dict[str, Any]:
    return {name.removeprefix(ATTRIBUTE): value for name, value in found.items()}


def _shape(found: dict[str, Any]) -> str:
    """The element, and the names of those in it, for messages."""
    ((name, inner),) = found.items() if len(found) == 1 else (("an element", found),)
    names = sorted(inner) if isinstance(inner, dict) else []
    shown = ", ".join(f"{item[:80]!r}" for item in names[:NAMES_SHOWN])
    return f"{name[:80]!r} with {shown or 'no elements in it'}"
