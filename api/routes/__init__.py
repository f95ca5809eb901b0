"""One file per resource or operation; its test has the same name."""

from api.routes import (
    accounts,
    audit,
    batch,
    budgets,
    bundles,
    commands,
    events,
    execution,
    exempt,
    kinds,
    lines,
    proofs,
    receipts,
    rulebook,
    transfers,
    tree,
    warnings,
)

ROUTERS = tuple(
    module.router
    for module in (
        commands, batch, budgets, lines, execution, transfers, accounts, exempt, warnings,
        audit, events, rulebook, kinds, receipts, tree, proofs,
        bundles,
    )
)  # fmt: skip
