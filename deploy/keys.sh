#!/bin/sh
# Make the keys of the ledger and of two witnesses where there are none, and the policy file that
# names them. For a trial on one machine: in earnest each witness is another organisation, makes its
# key itself (`qazyna witness --show-key`), and only public keys and addresses are exchanged.
#
#   LEDGER, WITNESS_1, WITNESS_2   folders            POLICY          the file to write
#   WITNESS_1_URL, WITNESS_2_URL   addresses          QAZYNA_ORIGIN   the name of the log
#   QUORUM                         witnesses needed   PYTHON          the interpreter
set -eu
qazyna() { "${PYTHON:-python}" -m api.cli "$@"; }

first=$(qazyna witness --home "$WITNESS_1" --name "$QAZYNA_ORIGIN/witness-1" --show-key)
second=$(qazyna witness --home "$WITNESS_2" --name "$QAZYNA_ORIGIN/witness-2" --show-key)
qazyna policy --home "$LEDGER" --quorum "${QUORUM:-2}" --out "$POLICY" \
  --witness "$first $WITNESS_1_URL" --witness "$second $WITNESS_2_URL"
