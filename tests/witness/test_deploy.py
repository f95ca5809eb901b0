"""The image and compose file, read as far as that goes without Docker, and what their parts do."""

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import typer
import yaml

from api.app import create_app
from api.cli.commands import COMMANDS, build
from api.settings import Settings
from api.witness import create_witness
from ledger.proofs.policy import Policy
from ledger.proofs.witness import Witness
from tests.cli.program import ROOT, cli, environment
from tests.witness.program import witnessing

DEPLOY = ROOT / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES = COMPOSE["services"]
OURS = {name: one for name, one in SERVICES.items() if one["image"] == "qazyna"}
DOCKERFILE = (DEPLOY / "Dockerfile").read_text().replace("\\\n", " ")


def instructions(word: str) -> list[str]:
    return [line.split(maxsplit=1)[1] for line in DOCKERFILE.splitlines()
            if line.split(maxsplit=1)[:1] == [word]]  # fmt: skip


def parsed(command: list[str]) -> dict:
    """The parameters that the command line reads; raises where it would refuse them."""
    group = typer.main.get_command(build(command[0]))
    with group.make_context("qazyna", list(command)) as context:
        name, found, rest = group.resolve_command(context, list(command))
        return found.make_context(name, rest, parent=context).params


def test_the_services_are_those_that_are_promised() -> None:
    assert set(SERVICES) == {"postgres", "keys", "witness-1", "witness-2", "ledger"}
    assert SERVICES["postgres"]["image"] == "postgres:18"


@pytest.mark.parametrize("name", [name for name, one in OURS.items() if one["command"]])
def test_each_command_is_one_that_the_program_takes(name: str) -> None:
    command = OURS[name]["command"]
    assert command[0] in COMMANDS
    assert parsed(command)["host"] == "0.0.0.0"


def test_a_command_that_the_program_does_not_take_is_found() -> None:
    with pytest.raises(typer.exceptions.TyperException, match="no-such-option"):
        parsed(["serve", "--no-such-option"])


def test_each_variable_is_a_setting_of_the_service() -> None:
    settings = {f"QAZYNA_{name.upper()}" for name in Settings.model_fields} | {"DATABASE_URL"}
    assert set(OURS["ledger"]["environment"]) <= settings
    ours = {n for one in OURS.values() for n in one.get("environment", {}) if "QAZYNA" in n}
    assert ours <= settings
    script = (DEPLOY / "keys.sh").read_text()
    for name in OURS["keys"]["environment"]:
        assert name in script or name in settings, name


def test_names_that_compose_resolves_exist() -> None:
    for name, one in SERVICES.items():
        waits = one.get("depends_on", {})
        assert set(waits) <= set(SERVICES), name
        for other, how in waits.items():
            if how["condition"] == "service_healthy":
                assert "healthcheck" in SERVICES[other], (name, other)
        for volume in one["volumes"]:
            assert volume.split(":")[0] in COMPOSE["volumes"], (name, volume)
    used = {volume.split(":")[0] for one in SERVICES.values() for volume in one["volumes"]}
    assert used == set(COMPOSE["volumes"])
    asked = re.findall(r"\$\{(\w+)([^}]*)\}", (DEPLOY / "compose.yaml").read_text())
    assert all(rest.startswith((":-", ":?")) for _, rest in asked)


def test_each_service_has_a_health_check_on_a_port_and_path_that_it_serves(tmp_path: Path) -> None:
    with Witness(tmp_path, [], "w.example") as witness:
        paths = {"witness-1": create_witness(witness), "witness-2": create_witness(witness),
                 "ledger": create_app(Settings())}  # fmt: skip
        for name, app in paths.items():
            kind, *command = OURS[name]["healthcheck"]["test"]
            assert (kind, command[:2]) == ("CMD", ["python", "-c"])
            compile(command[2], name, "exec")
            port, path = re.search(r"http://127\.0\.0\.1:(\d+)(/\w+)'", command[2]).groups()
            assert int(port) == parsed(OURS[name]["command"])["port"]
            assert app.url_path_for(path.strip("/")) == path
    assert "healthcheck" in SERVICES["postgres"]


def test_nothing_of_ours_runs_as_root_or_writes_outside_its_volumes() -> None:
    assert instructions("USER") == ["qazyna"]
    assert DOCKERFILE.rindex("USER qazyna") > DOCKERFILE.rindex("RUN ")
    made = {word for run in instructions("RUN") for word in shlex.split(run)}
    for name, one in OURS.items():
        assert (one["read_only"], one["cap_drop"]) == (True, ["ALL"]), name
        for volume in one["volumes"]:
            assert volume.split(":")[1] in made, volume  # owned by the user before it is mounted
    for name in ("witness-1", "witness-2"):
        assert "ports" not in OURS[name]
        assert not [v for v in OURS[name]["volumes"] if v.startswith(("ledger", "postgres"))]
    assert "witness" not in "".join(OURS["ledger"]["volumes"])  # nobody holds another's key


def test_the_image_copies_what_is_there_and_installs_what_is_locked() -> None:
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    for copied in instructions("COPY"):
        *sources, _ = [word for word in copied.split() if not word.startswith("--")]
        if "--from=build" in copied:
            continue
        for source in sources:
            assert (ROOT / source).exists(), source
            assert f"!{source.split('/')[0]}" in ignored, source
    assert "--require-hashes" in DOCKERFILE
    run, whole = (locked(path / "requirements.lock") for path in (DEPLOY, ROOT))
    assert run.items() <= whole.items()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {re.match(r"[\w-]+", one)[0].lower() for one in project["dependencies"]}
    assert wanted <= set(run)
    assert "pytest" not in run


def locked(path: Path) -> dict[str, str]:
    return dict(re.findall(r"^([\w.-]+)==(\S+)", path.read_text(), re.MULTILINE))


def test_the_script_makes_keys_once_and_a_policy_that_the_witnesses_serve(tmp_path: Path) -> None:
    assert OURS["keys"]["entrypoint"] == ["sh", "/srv/qazyna/deploy/keys.sh"]
    given = {name: value.replace("/var/lib", str(tmp_path)).replace("/etc/qazyna", str(tmp_path))
             for name, value in OURS["keys"]["environment"].items()}  # fmt: skip
    given["QAZYNA_ORIGIN"] = "trial.example/ledger"
    policies = []
    for _ in range(2):
        done = subprocess.run(
            ["sh", DEPLOY / "keys.sh"], cwd=ROOT, text=True, capture_output=True, check=False,
            env=environment(**given, PYTHON=sys.executable),
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        policies.append((tmp_path / "policy").read_bytes())
    assert policies[0] == policies[1]
    policy = Policy.parse(policies[0])
    assert [one.key.name for one in policy.logs] == ["trial.example/ledger"]
    urls = [party.url for party in policy.witnesses.values()]
    assert urls == [given["WITNESS_1_URL"], given["WITNESS_2_URL"]]
    keys = [party.key for party in policy.witnesses.values()]
    assert [policy.satisfied(keys[:n]) for n in (0, 1, 2)] == [False, False, True]
    with witnessing(tmp_path / "witness-1", tmp_path / "policy") as witness:
        assert witness.key == keys[0].text
    for key in ("qazyna/notary.key", "witness-1/witness.key", "witness-2/witness.key"):
        assert (tmp_path / key).stat().st_mode & 0o777 == 0o600


def test_a_policy_is_written_only_when_it_can_be_read_again(tmp_path: Path) -> None:
    home, origin = ("--home", tmp_path), {"QAZYNA_ORIGIN": "trial.example/ledger"}
    nameless = cli("policy", *home)
    assert (nameless.code, "QAZYNA_ORIGIN" in nameless.err) == (2, True)
    assert not (tmp_path / "notary.key").exists()
    alone = cli("policy", *home, **origin)
    assert alone.code == 0
    assert Policy.parse(alone.out.encode()).satisfied([])
    assert cli("policy", *home) == alone  # the key is made once
    key = Policy.parse(alone.out.encode()).logs[0].key.text
    for words in (["--quorum", "1"], ["--witness", f"{key} http://w"], ["--witness", "nonsense"]):
        assert cli("policy", *home, *words).code == 2, words
