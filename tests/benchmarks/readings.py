"""Generated readings of a day, as the flood-monitoring API answers them.

A record is about 280 bytes of JSON. The same arguments give the same bytes.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

SOURCE = "flood_readings_uk"
COUNCIL = "uk"
DAY = "2026-11-01"
PAGE_RECORDS = 10_000

HOST = "http://environment.data.gov.uk/flood-monitoring"
MOMENTS = [f"{hour:02}:{minute:02}:00Z" for hour in range(24) for minute in (0, 15, 30, 45)]
ENVELOPE = (
    f'{{"@context":"{HOST}/meta/context.jsonld","meta":{{"publisher":"Environment Agency",'
    '"licence":"http://www.nationalarchives.gov.uk/doc/open-government-licence/version/3/",'
    '"version":"0.9","comment":"%s","limit":%d},"items":[%s]}'
)
# What a publisher sends in place of a reading; the contract takes none of them.
BROKEN = ('"broken"', "[1.5,2.5]", '{"value":1}')


@dataclass(frozen=True)
class Variant:
    """What distinguishes one day of readings from another.

    `comment` is outside the records. Every `step`th record (0: none) is
    changed, or broken. `in_words` writes the same values as people do.
    """

    comment: str = "Status: Beta service"
    changed_step: int = 0
    broken_step: int = 0
    in_words: bool = False


def pages(
    records: int, per_page: int, day: str = DAY, variant: Variant | None = None
) -> Iterator[tuple[bytes, int]]:
    """Yield bodies and how many records each holds."""
    variant = variant or Variant()
    dice = random.Random(7)
    for first in range(0, records, per_page):
        count = min(per_page, records - first)
        items = ",".join(_item(first + number, day, dice, variant) for number in range(count))
        yield (ENVELOPE % (variant.comment, count, items)).encode(), count


def _item(number: int, day: str, dice: random.Random, variant: Variant) -> str:
    gauge, moment = divmod(number, len(MOMENTS))
    measure = f"{gauge:05}TH-level-downstage-i-15_min-mASD"
    at = MOMENTS[moment]
    value = dice.randrange(0, 4_000)
    if variant.changed_step and number % variant.changed_step == 0:
        value += 4_000
    shown = f"{value / 1000}"
    if variant.broken_step and number % variant.broken_step == 0:
        shown = BROKEN[number // variant.broken_step % len(BROKEN)]
    named, when = f"{HOST}/id/measures/{measure}", f"{day}T{at}"
    if variant.in_words:
        year, month, day_of_month = day.split("-")
        when = f"{day_of_month}/{month}/{year} {at.removesuffix('Z')}"
        named, shown = f" {named} ", f'"{shown} m"'
    return (
        f'{{"@id":"{HOST}/data/readings/{measure}/{day}T{at.replace(":", "-")}",'
        f'"dateTime":"{when}","measure":"{named}","value":{shown}}}'
    )
