"""The second before a server stops: no new connections, and an answer for each that was made.

Without it, a connection that the kernel has accepted but whose request was not read yet is closed
without an answer when the server stops.
"""

from __future__ import annotations

import ctypes
import logging
import multiprocessing
import os
import signal
import socket
import stat
import struct
import sys
import time
from contextlib import suppress
from pathlib import Path

log = logging.getLogger(__name__)

# Sent by the main process to those that serve.
SIGNAL = signal.SIGUSR1
# A client that has connected sends its request by then.
SECONDS = 1.0

_OPEN_FILES = Path("/proc/self/fd")
# From Linux's asm-generic/socket.h.
_SO_ATTACH_FILTER = 26
# A classic BPF program on a segment, as (code, jump if true, jump if false, value), from Linux's
# bpf_common.h: load the TCP flags; if SYN is set, keep 0 bytes, else all.
_NO_SYN = (
    (0x30, 0, 0, 13),
    (0x45, 0, 1, 0x02),
    (0x06, 0, 0, 0),
    (0x06, 0, 0, 0xFFFFFFFF),
)


def drain() -> None:
    """In the main process: let each process that serves drain, and wait."""
    log.info("serve: about to stop; no new connections")
    for process in multiprocessing.active_children():
        if process.pid:
            with suppress(ProcessLookupError):
                os.kill(process.pid, SIGNAL)
    time.sleep(SECONDS)


def ignore_new_connections() -> int:
    """Ignore what would open a connection to this process; returns how many sockets listened.

    A client that is ignored tries again after a second, when a new server may
    listen. Connections that are being opened, or wait to be accepted, are not
    affected: closing the sockets would reset them. Only on Linux with /proc;
    elsewhere, does nothing.
    """
    if sys.platform != "linux" or not _OPEN_FILES.is_dir():
        return 0
    count = 0
    for place in list(_OPEN_FILES.iterdir()):
        with suppress(OSError):  # it was closed meanwhile, or is no TCP socket
            count += _ignore(int(place.name))
    return count


def _ignore(number: int) -> bool:
    if not stat.S_ISSOCK(os.fstat(number).st_mode):
        return False
    with socket.socket(fileno=os.dup(number)) as found:
        if not found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            return False
        steps = b"".join(struct.pack("HBBI", *step) for step in _NO_SYN)
        program = ctypes.create_string_buffer(steps)
        listed = struct.pack("HP", len(_NO_SYN), ctypes.addressof(program))
        found.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, listed)
        return True
