"""The recorded answers of the public APIs. They are not in the repository."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[1]


def recorded_payloads() -> Path | None:
    """The recorded payloads, from RECORDED_PAYLOADS or next to the checkout."""
    named = os.environ.get("RECORDED_PAYLOADS")
    folder = Path(named) if named else CHECKOUT.parent / "shared" / "payloads"
    return folder if (folder / "police" / "EXPECTED.json").is_file() else None


PAYLOADS = recorded_payloads() or Path("no recorded payloads")

needs_payloads = pytest.mark.skipif(
    not PAYLOADS.is_dir(), reason="no recorded payloads: set RECORDED_PAYLOADS to their folder"
)
