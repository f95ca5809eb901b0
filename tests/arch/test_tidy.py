"""The habits of the house, kept by a test: sizes, docstrings, what must not be committed."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINES_MAX, FUNCTION_LINES_MAX, COLUMNS_MAX = 500, 60, 100
CODE = sorted(p for top in ("ledger", "api", "projections") for p in (ROOT / top).rglob("*.py"))
FOLDERS = ("ledger", "api", "projections", "tests", "deploy", "docs", ".ci")
BINARY = {".pyc", ".parquet", ".xlsx", ".png", ".ico", ".woff2", ".gz", ".zip"}
TEXTS = sorted(
    path
    for path in [*ROOT.glob("*"), *(p for top in FOLDERS for p in (ROOT / top).rglob("*"))]
    if path.is_file() and path.suffix not in BINARY and not path.name.endswith(".local")
)
REFUSED = {
    "left to do": re.compile(r"\b(?:TO[D]O|FIX[M]E)\b"),
    "a path of one machine": re.compile(r"(?<![\w.~$}])/(?:work|root|tmp)/"),
    "a package registry's host": re.compile(
        r"(?:pypi|pythonhosted|npmjs|crates|maven|proxy[.]golang|deb[.]debian)[.](?:org|com|io)\b"
    ),
}


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _findings(text: str) -> Iterator[str]:
    """What is wrong with the text of one Python file, each with its line."""
    lines = text.splitlines()
    if len(lines) > LINES_MAX:
        yield f"{len(lines)} lines, {LINES_MAX} are allowed"
    yield from (f"{n}: over {COLUMNS_MAX} columns" for n, s in enumerate(lines, 1) if len(s) > 100)
    tree = ast.parse(text)
    if not ast.get_docstring(tree):
        yield "1: the module has no docstring"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            size = (node.end_lineno or node.lineno) - node.lineno + 1
            if size > FUNCTION_LINES_MAX:
                yield f"{node.lineno}: {node.name} has {size} lines, {FUNCTION_LINES_MAX} allowed"
    bodies = [tree, *(n for n in tree.body if isinstance(n, ast.ClassDef) and n.name[0] != "_")]
    for node in (child for body in bodies for child in body.body):
        public = isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        if public and not node.name.startswith("_") and not ast.get_docstring(node):
            yield f"{node.lineno}: {node.name} has no docstring"


@pytest.mark.parametrize("path", CODE, ids=_name)
def test_code_is_small_and_says_its_purpose(path: Path) -> None:
    assert list(_findings(path.read_text(encoding="utf-8"))) == []


def test_no_text_holds_what_must_not_be_committed() -> None:
    found = [
        f"{_name(path)}:{number}: {what}"
        for path in TEXTS
        for number, line in enumerate(path.read_text("utf-8", errors="replace").splitlines(), 1)
        for what, pattern in REFUSED.items()
        if pattern.search(line)
    ]
    assert found == []


def test_each_habit_refuses_its_breach() -> None:
    long = "def f():\n" + "    pass\n" * 60 + "x = 1\n" * 440 + "#" * 101
    complaints = " ".join(_findings(long))
    for part in ("502 lines", "over 100", "module has no", "61 lines", "f has no docstring"):
        assert part in complaints
    breaches = "TO" + "DO", " /ro" + "ot/x", "https://py" + "pi.org/simple"
    assert all(p.search(b) for p, b in zip(REFUSED.values(), breaches, strict=True))
