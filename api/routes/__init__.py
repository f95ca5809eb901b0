"""One file per resource or operation; its test has the same name."""

from api.routes import (
    accounts,
    audit,
    batch,
    budgets,
    commands,
    events,
    execution,
    exempt,
    kinds,
    lines,
    rulebook,
    transfers,
    warnings,
)

ROUTERS = tuple(
    module.router
    for module in (
        commands, batch, budgets, lines, execution, transfers, accounts, exempt, warnings,
        audit, events, rulebook, kinds,
    )
)  # fmt: skip
