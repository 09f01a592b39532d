"""The hooks of pre-commit and `make lint` are the same commands."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import yaml

CHECKOUT = Path(__file__).parents[2]
SETTING = re.compile(r'^PATH="[^"]*" ')


def test_the_hooks_run_what_make_lint_runs():
    config = yaml.safe_load((CHECKOUT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    hooks = [hook["entry"] for repository in config["repos"] for hook in repository["hooks"]]
    done = subprocess.run(
        [str(shutil.which("make")), "--dry-run", "--assume-old=.venv/.installed", "lint"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=True,
    )
    commands = [line for line in done.stdout.splitlines() if ".venv/bin/" in line]
    commands = [SETTING.sub("", line) for line in commands]

    assert len(commands) >= 10
    inner = [re.sub(r"^bash -c '(.*)'$", r"\1", entry) for entry in hooks]
    assert [SETTING.sub("", entry) for entry in inner] == commands
