"""The command line in this process."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from include import cli

# Exit code, output and errors.
Done = tuple[int, str, str]


def command_line(monkeypatch: Any, capsys: Any) -> Callable[..., Done]:
    """Runs `wandle` with arguments, as the settings of this process are."""

    def run(*arguments: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["wandle", *arguments])
        try:
            cli.main()
            code: Any = 0
        except SystemExit as stop:
            code = stop.code or 0
        said = capsys.readouterr()
        return code, said.out, said.err

    return run
