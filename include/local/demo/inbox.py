"""Put the generated files of the demo into inboxes, as people of the councils do."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime
from pathlib import Path

from sandbox.spending import SOURCE, file_name, spending_file

from include.councils.model import council
from include.jobs.files.put import put
from include.jobs.lake import lake_of
from include.local.demo.window import Asked
from include.local.home import read_json
from include.settings import Settings


def fill_inboxes(settings: Settings, asked: list[Asked]) -> int:
    """Put a file for each requested partition of a generated source; returns how many."""
    sandbox = read_json(settings.home / "sandbox.json") or {"seed": 0}
    lake, done = lake_of(settings), 0
    for item in asked:
        if item.contract.name != SOURCE:
            continue
        for name in item.councils:
            for period in item.periods:
                content = spending_file(council(name), period.first_day, sandbox["seed"])
                with tempfile.NamedTemporaryFile() as file:
                    file.write(content)
                    file.flush()
                    put(
                        item.contract,
                        Path(file.name),
                        lake=lake,
                        name=file_name(council(name), period.first_day),
                        now=datetime.now(UTC),
                    )
                done += 1
    return done
