"""Adding a council and a source by the docs turns no test red: tests own what they count."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from include.definitions import yaml_text
from include.sources.model import Contract
from include.transform.staging import model_files

CHECKOUT = Path(__file__).parents[2]
# What a test has that reads the definitions, or knows one of them by name.
READS_DEFINITIONS = re.compile(
    r"\b(contracts|every_contract|councils|council_titles)\(|\b(MODELS|sandbox_client|kingston)\b"
)
# They break every definition in many ways, and read no more of them than others do.
SLOW = ("test_broken_definitions.py",)

# As `wandle new-council` writes it: its wards are known from this month on.
COUNCIL = {
    "name": "merton",
    "title": "Merton",
    "gss_code": "E09000024",
    "police_force": "metropolitan",
    "latitude": 51.415,
    "longitude": -0.19,
    "radius_km": 7.3,
    "points": [{"name": "Merton centre", "latitude": 51.415, "longitude": -0.19}],
    "ward_sets": [
        {
            "from": datetime.now(UTC).date().replace(day=1),
            "wards": [
                {"code": "E05013810", "name": "Abbey"},
                {"code": "E05013811", "name": "Cannon Hill"},
            ],
        }
    ],
}
# Whatever the model accepts, however short.
SOURCE = {
    "name": "bin_lorries",
    "title": "B",
    "description": "B.",
    "publisher": "B",
    "licence": "-",
    "owner": "us",
    "period": "day",
    "start": datetime.now(UTC).date(),
    "schedule": "0 4 * * *",
    "extract": {
        "base_url": "https://bins.example.org",
        "rate": {"per_second": 1, "burst": 1},
        "parallel": 1,
        "request": {"path": "/bins/{period}"},
    },
    "columns": [
        {"name": "id", "type": "text", "required": True, "description": "I"},
        {"name": "at", "type": "timestamptz", "zone": "UTC", "description": "W"},
    ],
    "key": ["id"],
}

# It runs a suite of its own.
pytestmark = pytest.mark.timeout(900)


@pytest.fixture
def copy(tmp_path) -> Path:
    """A copy of the checkout with one more council and one more source."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    files = subprocess.run(listed, cwd=CHECKOUT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, files.split("\0")):
        if (CHECKOUT / name).is_file():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes((CHECKOUT / name).read_bytes())
    for folder, content, schema in (
        ("councils", COUNCIL, "council"),
        ("sources", SOURCE, "contract"),
    ):
        path = tmp_path / "include" / folder / f"{content['name']}.yaml"
        heading = f"# yaml-language-server: $schema={schema}.schema.json\n"
        path.write_text(heading + yaml_text(content), encoding="utf-8")
    for model, text in model_files(Contract.model_validate(SOURCE)).items():
        path = tmp_path / model.relative_to(CHECKOUT)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path


def python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs Python on the code of a folder."""
    environment = os.environ | {"PYTHONPATH": str(folder), "WANDLE_HOME": str(folder / ".local")}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_one_more_council_and_source_turn_no_test_red(copy):
    synced = python(copy, "-c", SYNC)
    assert synced.returncode == 0, synced.stdout + synced.stderr
    listed = python(copy, "docs/dictionary/write.py")  # `make dictionary`
    assert listed.returncode == 0, listed.stdout + listed.stderr
    tests = [
        str(path.relative_to(copy))
        for path in sorted((copy / "tests" / "unit").rglob("test_*.py"))
        if path.name not in SLOW and READS_DEFINITIONS.search(path.read_text(encoding="utf-8"))
    ]
    assert len(tests) > 10

    ran = python(copy, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests)

    assert ran.returncode == 0, ran.stdout[-5000:]


SYNC = "import sys; sys.argv = ['wandle', 'sync']; from include.cli import main; main()"
