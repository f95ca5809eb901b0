"""One file per resource or operation; its test has the same name."""

from api.routes import (
    batch,
    budgets,
    commands,
    events,
    execution,
    kinds,
    lines,
    rulebook,
    warnings,
)

ROUTERS = tuple(
    module.router
    for module in (
        commands, batch, budgets, lines, execution, warnings, events, rulebook, kinds,
    )
)  # fmt: skip
