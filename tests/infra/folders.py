"""The folders of `terraform/`, and a class that runs Terraform in a root."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

TERRAFORM = Path(__file__).parents[2] / "terraform"
MODULES = sorted(path for path in (TERRAFORM / "modules").iterdir() if path.is_dir())
ENVIRONMENTS = sorted(path for path in (TERRAFORM / "environments").iterdir() if path.is_dir())
ROOTS = [TERRAFORM / "bootstrap", *ENVIRONMENTS]
FOLDERS = [TERRAFORM / "bootstrap", *MODULES, *ENVIRONMENTS]

ACCOUNT = "123456789012"
REGION = "eu-west-2"
STATE_BUCKET = f"wandle-state-{ACCOUNT}"
DIGEST = "sha256:" + "0123456789abcdef" * 4
# The variables without a default.
VARIABLES = {
    "bootstrap": {"github_repository": "rbk-lbs/wandle"},
    "dev": {"alert_email": "data@example.gov.uk", "image_digest": DIGEST},
    "prod": {"alert_email": "data@example.gov.uk", "image_digest": DIGEST},
}
# Every optional feature.
EVERYTHING: dict[str, Any] = {
    "workers": 2,
    "serverless_sources": ["bank_holidays", "weather_hourly"],
    "extract_image_digest": DIGEST,
    "public": {
        "hostname": "wandle.example.gov.uk",
        "certificate_arn": f"arn:aws:acm:{REGION}:{ACCOUNT}:certificate/1",
        "allowed_cidrs": ["192.0.2.0/24"],
    },
    "api": {
        "hostname": "api.example.gov.uk",
        "certificate_arn": f"arn:aws:acm:{REGION}:{ACCOUNT}:certificate/2",
        "with_keys": True,
    },
    "api_image_digest": DIGEST,
    "login": {
        "issuer": "https://login.example.gov.uk",
        "client_id": "wandle",
        "admins": "wandle-admins",
    },
}
# moto's threads share dictionaries without a lock.
MOTO_RACE = "dictionary changed size during iteration"


class Terraform:
    """Runs Terraform in a root; keeps its files, and the state of bootstrap, in `work`."""

    def __init__(self, folder: Path, work: Path, more: dict[str, Any] | None = None) -> None:
        self.folder = folder
        self.work = work
        work.mkdir(parents=True, exist_ok=True)
        self.variables = {**VARIABLES[folder.name], **(more or {})}
        self.environ = {**os.environ, "TF_DATA_DIR": str(work / "data"), "TF_IN_AUTOMATION": "1"}

    def run(
        self, *arguments: str, codes: tuple[int, ...] = (0,)
    ) -> subprocess.CompletedProcess[str]:
        """Run a command. Fails the test unless its exit code is one of `codes`."""
        done = subprocess.run(
            (str(shutil.which("terraform")), *arguments),
            cwd=self.folder,
            env=self.environ,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode in codes, (
            f"{self.folder.name} {arguments}\n{done.stdout[-3000:]}\n{done.stderr[-6000:]}"
        )
        return done

    def init(self) -> None:
        """Initialize the root. Environments keep their state in STATE_BUCKET."""
        backend = (
            []
            if self.folder.name == "bootstrap"
            else [
                f"-backend-config={name}={value}"
                for name, value in {
                    "bucket": STATE_BUCKET,
                    "region": REGION,
                    "use_path_style": "true",
                }.items()
            ]
        )
        self.run("init", "-input=false", "-no-color", "-lockfile=readonly", *backend)

    def _options(self, more: dict[str, Any]) -> list[str]:
        file = self.work / "test.tfvars.json"
        file.write_text(json.dumps({**self.variables, **more}))
        state = (
            [f"-state={self.work / 'terraform.tfstate'}"] if self.folder.name == "bootstrap" else []
        )
        return ["-input=false", "-no-color", f"-var-file={file}", *state]

    def apply(self, *arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
        """Apply; retry once if moto hit its race condition."""
        command = ("apply", "-auto-approve", *self._options(more), *arguments)
        done = self.run(*command, codes=(0, 1))
        if done.returncode and MOTO_RACE not in done.stderr:
            raise AssertionError(f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-6000:]}")
        return self.run(*command) if done.returncode else done

    def destroy(
        self, codes: tuple[int, ...] = (0,), **more: Any
    ) -> subprocess.CompletedProcess[str]:
        return self.run("destroy", "-auto-approve", *self._options(more), codes=codes)

    def refused(self, **more: Any) -> str:
        """The errors of a plan that must fail with these variables."""
        return self.run("plan", *self._options(more), codes=(1,)).stderr

    def plan(self, **more: Any) -> dict[str, Any]:
        """The plan in the format of `terraform show -json`."""
        file = self.work / "plan"
        self.run("plan", f"-out={file}", *self._options(more))
        return json.loads(self.run("show", "-json", str(file)).stdout)

    def outputs(self) -> dict[str, Any]:
        state = (
            [f"-state={self.work / 'terraform.tfstate'}"] if self.folder.name == "bootstrap" else []
        )
        found = json.loads(self.run("output", "-json", *state).stdout)
        return {name: output["value"] for name, output in found.items()}
