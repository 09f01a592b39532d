"""Pages that are downloaded ahead, several at once: in order, up to the first damaged one."""

from __future__ import annotations

import gzip
import io
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from include.errors import LandingDamaged, ServiceUnavailable
from include.landing.read import GROUP_PAGES, VERIFIED_BY_READER_BYTES, read_pages
from tests.samples import facts, partition

DAMAGES: list[Callable[[bytes], bytes]] = [
    lambda stored: stored[:-5],
    lambda stored: stored + b"more",
    lambda stored: stored + gzip.compress(b"[2]"),
    lambda stored: gzip.compress(b"[9]"),
    lambda stored: gzip.compress(gzip.decompress(stored) + b" "),
    lambda stored: gzip.decompress(stored),
    lambda stored: b"",
]


class Stored:
    """Objects in memory, as `Landings` returns them; `absent` ones raise."""

    def __init__(self, objects: dict[str, bytes], absent: set[str]) -> None:
        self.objects, self.absent = objects, absent

    def address(self, key: str) -> str:
        return f"s3://lake/{key}"

    def stored(self, key: str) -> tuple[io.BytesIO, int]:
        name = key.rpartition("/")[2]
        body = self.objects[name]
        if name in self.absent:
            raise ServiceUnavailable(f"S3: reading {self.address(key)}: no answer")
        return io.BytesIO(body), len(body)

    arriving = stored


def landed(bodies: list[bytes]) -> tuple[Any, dict[str, bytes]]:
    """A manifest of these pages, and their objects."""
    pages, objects = [], {}
    for number, body in enumerate(bodies):
        name = f"{number:04}.json.gz"
        objects[name] = gzip.compress(body, 1)
        sent = facts(body, 1)
        pages.append(
            SimpleNamespace(
                name=name, stored_bytes=len(objects[name]), bytes=sent.bytes, sha256=sent.sha256
            )
        )
    return SimpleNamespace(pages=pages, landing_id="L1", pages_in=None), objects


LARGE = b"1" * (VERIFIED_BY_READER_BYTES + 1)


@given(
    st.lists(st.sampled_from([b"[]", b"", b"[1]", LARGE]), min_size=1, max_size=8),
    st.integers(1, 2 * GROUP_PAGES),
    st.data(),
)
def test_pages_come_in_order_up_to_the_first_that_is_damaged(some, times, data):
    bodies = [*([b"[0]"] * times), *some, *([b"[3]"] * times), *some]
    manifest, objects = landed(bodies)
    places = data.draw(st.sets(st.integers(0, len(bodies) - 1), max_size=3))
    absent = {manifest.pages[place].name for place in places if data.draw(st.booleans())}
    for name in {manifest.pages[place].name for place in places} - absent:
        objects[name] = data.draw(st.sampled_from(DAMAGES))(objects[name])
    found, failure = [], ""
    try:
        for page, body in read_pages(Stored(objects, absent), partition(), manifest):  # type: ignore[arg-type]
            found.append((page.name, body.read()))
    except (LandingDamaged, ServiceUnavailable) as error:
        failure = str(error)

    end = min(places, default=len(bodies))
    assert found == [(f"{place:04}.json.gz", bodies[place]) for place in range(end)]
    assert (f"/{end:04}.json.gz:" in failure) == bool(places)
