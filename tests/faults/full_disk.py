"""Disks that fill up and empty: what a test may do without rights, and a small real one.

Without rights: a link to /dev/full where a file is to come (the kernel's own ENOSPC), and a
limit of file sizes on a server (its WAL cannot be written, so it goes down).
With the right to mount: a small file system in memory that a file of nothing fills.
"""

import os
import resource
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

LIMIT_BYTES = 4 << 20
"""Above every table of the tests, below what a segment of the WAL holds."""
SMALL_DISK_BYTES = 160 << 20
ENDS = "No space left on device", "File too large"


def complaints(log: Path) -> int:
    """Count what a server's log says of a full disk: whether the fault fired."""
    text = log.read_text("utf-8", "replace")
    return sum(text.count(end) for end in ENDS)


@contextmanager
def no_space(path: Path) -> Iterator[None]:
    """Let every write fail to a file that does not exist yet."""
    assert not path.exists()
    path.symlink_to("/dev/full")
    try:
        yield
    finally:
        path.unlink()


@contextmanager
def file_limit(process: int, size: int = LIMIT_BYTES) -> Iterator[None]:
    """Let no file grow above a size that a process of our user or a child it starts now writes."""
    _, hard = resource.prlimit(process, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    yield
    resource.prlimit(process, resource.RLIMIT_FSIZE, (hard, hard))


@contextmanager
def small_disk(folder: Path, size: int = SMALL_DISK_BYTES) -> Iterator[bool]:
    """Mount a small file system in memory where this process may; tell whether it could."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "tmpfs", str(folder)]
    folder.mkdir(parents=True, exist_ok=True)
    mounted = shutil.which("mount") is not None and os.geteuid() == 0
    mounted = mounted and subprocess.run(command, capture_output=True, check=False).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", str(folder)], check=True)


@contextmanager
def filled(folder: Path) -> Iterator[None]:
    """Fill a file system to its last byte; free it at the end."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for piece in (1 << 20, 1 << 12):
            with suppress(OSError):
                while True:
                    file.write(bytes(piece))
    assert shutil.disk_usage(folder).free < 1 << 20  # a server may free a little meanwhile
    try:
        yield
    finally:
        ballast.unlink()
