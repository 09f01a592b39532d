"""Lists of payments over £500, as councils publish them: generated files for an inbox.

The Local Government Transparency Code 2015 says what they list; how they look is
that of councils' real files: a title above the header, amounts as text with a
pound sign, British dates, a total below, and an encoding that depends on who
saved the file. Suppliers are invented.
"""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from include.councils.model import Council

# The source that reads them.
SOURCE = "council_spend"
LEAST_LINES, MOST_LINES = 220, 420
# Of payments, those to private persons, and those taken back.
REDACTED_SHARE, CREDIT_SHARE = 0.03, 0.04
LINES_OF_A_TRANSACTION = 3
# What office programs make of ' and -: not in ASCII.
APOSTROPHE, DASH = "\N{RIGHT SINGLE QUOTATION MARK}", "\N{EN DASH}"
REDACTED = "REDACTED PERSONAL DATA"

HEADER = (
    *("Body Name", "Directorate", "Expense Type", "Supplier Name", "Payment Date"),
    *("Transaction Number", "Net Amount (£)"),
)
SPENDING = {
    "Adult Social Care": ("Residential Care", "Homecare", "Direct Payments"),
    "Children's Services": ("Fostering", "Special Educational Needs", "Home to School Transport"),
    "Environment": ("Waste Collection", "Highways Maintenance", "Grounds Maintenance"),
    "Corporate Services": ("Software Licences", "Legal Fees", "Agency Staff"),
    "Housing": ("Temporary Accommodation", "Repairs", "Grants"),
}
SUPPLIERS = (
    "Hogsmill Care Ltd", "Wandle Valley Homecare", "Bourne & Hall LLP", "Café Népal CIC",
    "Beverley Brook Buses Ltd", "Thames Ditton Trading plc", "Nonsuch Software Ltd",
    "Carshalton Ponds Landscapes", f"St Mary{APOSTROPHE}s Fostering Agency",
    "Surbiton Signs and Lines Ltd", "O'Connor, Patel & Sons", 'Green Lanes "Rapid" Repairs',
    f"Cheam Charity {DASH} Day Centres",
    "Berrylands Temporary Homes Ltd", "Pyl Brook Drainage", "Rosehill Education Trust",
)  # fmt: skip


def file_name(council: Council, month: date) -> str:
    """As the contract's pattern expects it."""
    return f"payments_over_500_{council.name}_{month:%Y-%m}.csv"


def spending_file(council: Council, month: date, seed: int) -> bytes:
    """The file of a month: in Windows-1252 of councils from A to L, in UTF-8 of others."""
    written = io.StringIO(newline="")
    rows = csv.writer(written, lineterminator="\r\n")
    rows.writerow([f"{council.title}: payments over £500, {month:%B %Y}", *[""] * 6])
    rows.writerow(HEADER)
    total = Decimal(0)
    for *texts, amount in _lines(council, month, seed):
        total += amount
        rows.writerow([*texts, _pounds(amount)])
    rows.writerow(["Total", *[""] * 5, _pounds(total)])
    text = written.getvalue()
    return text.encode("cp1252" if council.name < "m" else "utf-8-sig")


def _lines(council: Council, month: date, seed: int) -> Iterator[tuple[Any, ...]]:
    draw = random.Random(f"spending {seed} {council.name} {month}")
    days = (month.replace(day=28) + timedelta(days=4)).replace(day=1) - month
    left = draw.randint(LEAST_LINES, MOST_LINES)
    number = draw.randint(5_000_000, 5_999_999)
    while left > 0:
        number += draw.randint(1, 9)
        paid = month + timedelta(days=draw.randrange(days.days))
        is_redacted = draw.random() < REDACTED_SHARE
        supplier = REDACTED if is_redacted else draw.choice(SUPPLIERS)
        directorate = draw.choice(list(SPENDING))
        for _ in range(min(left, draw.randint(1, LINES_OF_A_TRANSACTION))):
            left -= 1
            sign = -1 if draw.random() < CREDIT_SHARE else 1
            amount = sign * Decimal(round(500 + draw.expovariate(1 / 4_000), 2)).quantize(
                Decimal("0.01")
            )
            kind = draw.choice(SPENDING[directorate])
            yield (
                *(council.title, directorate, kind, supplier),
                *(f"{paid:%d/%m/%Y}", f"{number:010}", amount),
            )


def _pounds(amount: Decimal) -> str:
    return f"£{amount:,.2f}" if amount >= 0 else f"(£{-amount:,.2f})"
