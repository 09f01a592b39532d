"""Runs the user data of an applied environment's hosts on this machine, as cloud-init does."""

from __future__ import annotations

import base64
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import boto3
import psycopg

HERE = Path(__file__).parent
CHECKOUT = HERE.parents[2]
# The port on this machine that is forwarded to the host's port 8080.
PORT = 23480
RUN_SECONDS = 900


def address_of_machine() -> str:
    """The IP address at which containers reach this machine."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.connect(("192.0.2.1", 9))
        return str(asking.getsockname()[0])


@contextmanager
def forwarded(address: str, port: int, to: int) -> Iterator[str]:
    """Forward connections to `address:port` to a port on the loopback address."""
    with socket.create_server((address, port)) as listening, ExitStack() as open_ones:

        def accept() -> None:
            while True:
                try:
                    near, _ = listening.accept()
                    far = socket.create_connection(("127.0.0.1", to))
                except OSError:
                    if listening.fileno() < 0:
                        return
                    near.close()
                    continue
                for one, other in ((near, far), (far, near)):
                    open_ones.callback(one.close)
                    threading.Thread(target=_pump, args=(one, other), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://{address}:{listening.getsockname()[1]}"


def _pump(source: socket.socket, target: socket.socket) -> None:
    """Copy data until either end is closed."""
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


@dataclass(frozen=True)
class Host:
    """One host of a group: a folder in place of its disk, and its own Compose project.

    `metadata` is the connection string of Airflow's database for the tests.
    """

    group: str
    folder: Path
    environ: dict[str, str]
    metadata: str

    @classmethod
    def of(cls, group: str, folder: Path, stand_ins: dict[str, str], metadata: str) -> Host:
        """A host with the user data of its launch template, not yet started."""
        folder.mkdir(parents=True)
        template = boto3.client("ec2").describe_launch_template_versions(
            LaunchTemplateName=f"wandle-dev-{group}", Versions=["$Latest"]
        )["LaunchTemplateVersions"][0]["LaunchTemplateData"]
        (folder / "user_data").write_bytes(base64.b64decode(template["UserData"]))
        ours = ("WANDLE_", "AIRFLOW", "COMPOSE_")
        environ = {
            name: value
            for name, value in os.environ.items()
            # podman passes the proxy settings of its caller to containers.
            if not name.startswith(ours) and not name.lower().endswith("_proxy")
        }
        environ |= stand_ins | {
            "PATH": f"{HERE / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "COMPOSE": os.environ.get("COMPOSE", "docker compose"),
            "DOCKER": os.environ.get("DOCKER", "docker"),
            "COMPOSE_PROJECT_NAME": f"wandle-{group}",
            "STAND_INS": str(HERE / "stand-ins.yaml"),
            "HOME_OF_STACK": str(folder / "opt"),
            "CA_FOLDER": str(folder / "etc"),
            "COMMAND": str(folder / "wandle-compose"),
            "AGENT": str(folder / "agent"),
            "WANDLE_PORT": str(PORT),
            "PAUSE_SECONDS": "2",
        }
        return cls(group, folder, environ, metadata)

    def start(self) -> str:
        """Run the user data and return its output."""
        return self._run("/bin/bash", "-x", str(self.folder / "user_data"), seconds=1500)

    def compose(self, *arguments: str) -> str:
        """Run `wandle-compose` on this host and return its output."""
        return self._run(str(self.folder / "wandle-compose"), *arguments)

    def inside(self, service: str, *command: str) -> str:
        return self.compose("exec", "-T", service, *command)

    def environment(self, service: str) -> dict[str, str]:
        """The environment of a service's container; for `migrate`, of a new container."""
        script = "import json, os; print(json.dumps(dict(os.environ)))"
        asked = ("run", "--rm", "--no-deps") if service == "migrate" else ("exec",)
        said = self.compose(*asked, "-T", service, "python", "-c", script)
        found: dict[str, str] = json.loads(said.splitlines()[-1])
        return found

    def runs(self, dag: str) -> dict[str, str]:
        """The state of each run of a DAG, by its id."""
        with psycopg.connect(self.metadata) as connection:
            asked = "select run_id, state from dag_run where dag_id = %s"
            return dict(connection.execute(asked, (dag,)).fetchall())

    def run_dag(self, dag: str, run: str) -> str:
        """Unpause and trigger a DAG, wait for the run to end, and return its state."""
        self.inside("scheduler", "airflow", "dags", "unpause", dag)
        self.inside("scheduler", "airflow", "dags", "trigger", dag, "--run-id", run)
        end = time.monotonic() + RUN_SECONDS
        while (state := self.runs(dag)[run]) not in ("success", "failed"):
            assert time.monotonic() < end, f"{dag}: still {state} after {RUN_SECONDS} s"
            time.sleep(3)
        return state

    def stop(self) -> None:
        """Stop the containers and delete their volumes."""
        if (self.folder / "wandle-compose").exists():
            self.compose("down", "--volumes")

    def delete_disk(self) -> None:
        """Delete the containers and the disk, but not the launch template's user data."""
        self.stop()
        for path in self.folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name != "user_data":
                path.unlink()

    def _run(self, *command: str, seconds: int = 600) -> str:
        """Run a command and return its output. Fails the test on an error or a timeout."""
        with (self.folder / "stderr").open("w+", encoding="utf-8") as errors:
            process = subprocess.Popen(
                command,
                env=self.environ,
                cwd=self.folder,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
            )
            watch = threading.Timer(seconds, os.killpg, (process.pid, signal.SIGKILL))
            watch.start()
            said = process.communicate()[0].decode(errors="replace")
            watch.cancel()
            errors.seek(0)
            end = (said + errors.read())[-8000:]
        assert process.returncode == 0, f"{shlex.join(command)}: {process.returncode}\n{end}"
        return said
