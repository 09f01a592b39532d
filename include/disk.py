"""Full disks: which one it is, how much of it is free, and what to do."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from include.errors import RetryableError

# No space, no quota, read-only: nothing can be written.
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}

# Less is nearly full; of a small disk, less than this share.
LOW_BYTES = 500_000_000
LOW_SHARE = 0.1


class DiskFull(RetryableError):
    """A disk is full or read-only; the message names it."""


def is_full(error: BaseException) -> bool:
    """Whether a write failed because of its disk."""
    return isinstance(error, OSError) and error.errno in FULL


def full_message(error: OSError, *folders: Path) -> str:
    """What failed, and the disks of the file, or else of the folders that may be concerned."""
    named = [Path(os.fsdecode(error.filename))] if isinstance(error.filename, str | bytes) else []
    disks = dict.fromkeys(described(path) for path in named or folders)
    then = "Make it writable" if error.errno == errno.EROFS else "Free some space"
    return f"{error.strerror}. {' '.join(disks)} {then}"


def described(path: Path) -> str:
    """The disk of a path that may not exist yet: its mount point, and what is free."""
    found = _existing(path)
    space = os.statvfs(found)
    free, total = space.f_bavail * space.f_frsize, space.f_blocks * space.f_frsize
    files = "" if not space.f_files or space.f_favail else " and no more files possible"
    return f"{path}: {_size(free)} free of {_size(total)}{files} on the disk {_mount(found)}."


def warning(path: Path, needed: int = 0) -> str:
    """That the disk of `path` is nearly full, or has not `needed` bytes free; else empty."""
    space = os.statvfs(_existing(path))
    free, total = space.f_bavail * space.f_frsize, space.f_blocks * space.f_frsize
    low = free < max(needed, min(LOW_BYTES, total * LOW_SHARE))
    no_files = space.f_files and not space.f_favail
    read_only = space.f_flag & os.ST_RDONLY
    if not (low or no_files or read_only):
        return ""
    return f"The disk is {'read-only' if read_only else 'nearly full'}. {described(path)}"


@contextmanager
def disk_errors(doing: str, folder: Path | None = None) -> Iterator[None]:
    """Turn a failed write into `DiskFull`. `folder`: where it went; default: temporary files."""
    try:
        yield
    except OSError as error:
        if not is_full(error):
            raise
        told = full_message(error, folder or Path(tempfile.gettempdir()))
        raise DiskFull(f"{doing}: {told}, then try again.") from error


def _existing(path: Path) -> Path:
    return next(found for found in (path, *path.absolute().parents) if found.exists())


def _mount(path: Path) -> Path:
    resolved = path.resolve()
    return next(found for found in (resolved, *resolved.parents) if found.is_mount())


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
