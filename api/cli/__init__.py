"""The command line: `qazyna …`. One file a group of commands; `outcome` says how they end."""

from __future__ import annotations

import logging
import os
import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line and end with its exit code."""
    from api.cli.commands import build  # noqa: PLC0415 - the package's parts import this package
    from api.cli.outcome import Exit, fail  # noqa: PLC0415

    level = os.environ.get("QAZYNA_LOG_LEVEL", "").upper()  # the settings refuse unknown ones
    logging.basicConfig(
        level=logging.getLevelNamesMapping().get(level, logging.CRITICAL), stream=sys.stderr,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )  # fmt: skip
    try:
        build(sys.argv[1] if len(sys.argv) > 1 else None)()
    except KeyboardInterrupt:
        sys.exit(Exit.INTERRUPTED)
    except Exception as error:  # noqa: BLE001 - the one place where errors become exit codes
        sys.exit(fail(error, as_json="--json" in sys.argv))
