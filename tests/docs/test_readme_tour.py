"""The README's tour, run through the real executable: what it prints is what the README shows."""

import re
import shlex
from pathlib import Path

from tests.cli.program import cli, serving

ROOT = Path(__file__).parents[2]
MAPPING = ROOT / "deploy" / "mappings" / "kz-republic-2025.toml"
LOADED_AT = "2024-12-31T09:00:00+05:00"


def tour() -> list[tuple[list[str], list[str]]]:
    """Return the tour's commands with the lines that the README shows for each."""
    text = (ROOT / "README.md").read_text("utf-8").split("## Five minutes")[1].split("\n## ")[0]
    steps: list[tuple[list[str], list[str]]] = []
    for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ .venv/bin/qazyna "):
                steps.append((shlex.split(line)[2:], []))
            elif line.strip():
                steps[-1][1].append(line)
    return steps


def matches(shown: str, printed: str) -> bool:
    """Compare one line but for the width of columns; "…" stands for what differs by run."""
    shown, printed = " ".join(shown.split()), " ".join(printed.split())
    return re.fullmatch(".*".join(map(re.escape, shown.split("…"))), printed) is not None


def test_the_tour_prints_what_the_readme_shows(tmp_path):
    home = tmp_path / "home"
    loaded = cli("load", MAPPING, "--home", home, QAZYNA_CLOCK=LOADED_AT)
    assert loaded.code == 0, loaded
    with serving(home) as service:
        here = {"http://127.0.0.1:8000": service.url, "var/demo": str(home)}
        for words, shown in tour():
            ran = cli(*(here.get(word, word) for word in words))
            printed = (ran.out + ran.err).splitlines()
            place = 0
            for line in shown:
                if line == "…":
                    continue
                found = [n for n in range(place, len(printed)) if matches(line, printed[n])]
                assert found, f"{' '.join(words)}\nlacks: {line}\nprinted:\n" + "\n".join(printed)
                place = found[0] + 1
