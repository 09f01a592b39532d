"""What a publication is made from, without its rows: the same state makes the same version."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from include.councils.model import council_titles
from include.jobs.publish.datasets import layout_hash
from include.settings import Settings
from include.sources.model import contracts
from include.transform.history import History
from include.transform.project import inputs_hash


def state_of(history: History, project: Path) -> str:
    """A hash of all that decides what is published, and of when each mart was last built.

    It changes with a build, a table that was replaced, truncated or dropped,
    the dbt project, a contract, a council, the read API's address, and this code.
    Not with rows that somebody edits in a mart by hand.
    """
    said = [
        inputs_hash(project, contracts()),
        layout_hash(),
        council_titles(),
        Settings.read().code_version,
        Settings.read().read_api,
        history.states.built(),
    ]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
