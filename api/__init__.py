"""The doors: HTTP, CLI and loading. Knows the ledger and the projections."""
