"""One file per resource or operation; its test has the same name."""

from api.routes import batch, budgets, commands, events, kinds, rulebook

ROUTERS = tuple(
    module.router for module in (commands, batch, budgets, events, rulebook, kinds)
)
