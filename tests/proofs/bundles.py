"""A bundle's file taken apart again, so that a test can look at its pieces and alter them."""

import base64
import io
import json
import zipfile

from ledger.proofs.bundle import Bundle, Shown
from ledger.proofs.verify import FILES


def opened(raw: bytes) -> Bundle:
    """The bundle as it was before it was written; nothing is verified."""
    with zipfile.ZipFile(io.BytesIO(raw)) as file:
        manifest, report, checkpoint, proof, events = map(file.read, FILES)
    shown = []
    for line in events.splitlines():
        at, leaf, *body = line.split(b" ", 2)
        shown.append(Shown(int(at), leaf, body[0] if body else None))
    hashes = tuple(base64.b64decode(line) for line in proof.splitlines())
    return Bundle(json.loads(manifest), report, checkpoint, hashes, tuple(shown))
