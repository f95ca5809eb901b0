"""The whole verifier as one file: `python -m ledger.proofs.single qazyna-verify.pyz`.

A zip of the modules as they stand, which Python runs (`python3 qazyna-verify.pyz bundle …`): a
laptop needs that file, Python 3.11 and `cryptography`. Equal sources make equal bytes.
"""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MODULES = (
    "ledger/__init__.py", "ledger/proofs/__init__.py", "ledger/proofs/verify.py",
    "ledger/proofs/bundle.py", "ledger/proofs/sums.py",
)  # fmt: skip
MAIN = "import sys\n\nfrom ledger.proofs.verify import main\n\nsys.exit(main())\n"


def write_single(target: Path) -> None:
    """Write the verifier into one file."""
    with target.open("wb") as file:
        file.write(b"#!/usr/bin/env python3\n")
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            for name in MODULES:
                archive.writestr(zipfile.ZipInfo(name), (ROOT / name).read_bytes())
            archive.writestr(zipfile.ZipInfo("__main__.py"), MAIN)


if __name__ == "__main__":
    write_single(Path(sys.argv[1]))
