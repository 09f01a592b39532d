"""The notebooks run, and print what they did when they were saved.

`UPDATE_NOTEBOOKS=1` saves what they print now, after a change of theirs.
"""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import nbformat
import pytest

from include.councils.model import councils
from include.warehouse.schema.migrate import LOGINS
from sandbox.spending import SOURCE, file_name, spending_file
from tests.notebooks import save

CHECKOUT = Path(__file__).parents[2]
NOTEBOOKS = sorted((CHECKOUT / "notebooks").glob("*.ipynb"))
VARIABLES = {"wandle_reader": "WANDLE_WAREHOUSE_DSN"}
MONTHS = (date(2026, 4, 1), date(2026, 5, 1))
MOST_SECONDS = 600
# A kernel starts in seconds, but not on a machine that does much else.
pytestmark = pytest.mark.timeout(MOST_SECONDS)


@pytest.fixture
def platform(wandle, warehouse, tmp_path) -> dict[str, str]:
    """Two months of generated payments of both councils; the variables of that platform."""
    for place in councils().values():
        for month in MONTHS:
            path = tmp_path / file_name(place, month)
            path.write_bytes(spending_file(place, month, seed=0))
            assert wandle("put", SOURCE, str(path))[0] == 0
    code, _, err = wandle("ingest", SOURCE, "--from", "2026-04", "--to", "2026-05")
    assert code == 0, err
    return {VARIABLES.get(role, f"{role.upper()}_DSN"): warehouse.dsn(role) for role in LOGINS}


@pytest.fixture
def environment(notebook, request, tmp_path) -> dict[str, str]:
    """The variables of a notebook; only that of a table needs a platform."""
    folders = {"MPLCONFIGDIR": "matplotlib", "JUPYTER_RUNTIME_DIR": "jupyter", "IPYTHONDIR": "ip"}
    return {
        **os.environ,
        **(request.getfixturevalue("platform") if notebook.stem == "profile" else {}),
        **{name: str(tmp_path / folder) for name, folder in folders.items()},
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    }


def checked(notebook: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """What nbval says of a notebook."""
    command = [
        *(sys.executable, "-m", "pytest", "-p", "nbval.plugin", "--nbval", str(notebook), "-q"),
        *("--nbval-kernel-startup-timeout=300", "-p", "no:cacheprovider", "-p", "no:socket"),
        *("-c", str(CHECKOUT / "pyproject.toml")),
    ]
    return subprocess.run(
        command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, timeout=MOST_SECONDS
    )


def test_there_are_notebooks():
    assert [path.name for path in NOTEBOOKS] == ["performance_api.ipynb", "profile.ipynb"]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_prints_what_it_did_when_it_was_save(notebook, environment):
    if os.environ.get("UPDATE_NOTEBOOKS"):
        save(notebook, environment)

    found = checked(notebook, environment)

    assert found.returncode == 0, found.stdout + found.stderr
    assert "passed" in found.stdout


def test_other_output_is_noticed(tmp_path):
    cell = nbformat.v4.new_code_cell("print(1 + 1)", execution_count=1)
    cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text="3\n")]
    notebook = tmp_path / "wrong.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), notebook)

    found = checked(notebook, {**os.environ, "JUPYTER_RUNTIME_DIR": str(tmp_path)})

    assert found.returncode == 1
    assert "Cell outputs differ" in found.stdout
