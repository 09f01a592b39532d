"""Run a notebook and save what it prints: `python -m tests.notebooks NOTEBOOK`."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client.manager import start_new_kernel


def save(notebook: Path, environment: Mapping[str, str]) -> None:
    """Run a notebook and save its text outputs; charts are drawn again when it is opened.

    Raises `AssertionError` with the traceback of a cell that fails.
    """
    content = nbformat.read(notebook, as_version=4)
    manager, client = start_new_kernel(env=dict(environment), cwd=str(notebook.parent))
    try:
        code = [cell for cell in content.cells if cell.cell_type == "code"]
        for number, cell in enumerate(code, start=1):
            cell.outputs, cell.execution_count = [], number
            client.execute_interactive(
                cell.source, output_hook=lambda message, cell=cell: _keep(cell, message)
            )
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    nbformat.write(content, notebook)


def _keep(cell: Any, message: Any) -> None:
    if message["msg_type"] == "stream" and message["content"]["name"] == "stdout":
        text = message["content"]["text"]
        if cell.outputs:
            cell.outputs[-1].text += text
        else:
            cell.outputs.append(nbformat.v4.new_output("stream", name="stdout", text=text))
    elif message["msg_type"] == "error":
        raise AssertionError("\n".join(message["content"]["traceback"]))


if __name__ == "__main__":
    save(Path(sys.argv[1]), os.environ)
