"""Calling an endpoint without the router: for requests that leave nothing to resolve.

A posting has a fixed path, no query and reads its own body. The framework would try the routes in
turn, enter four exit stacks and copy messages twice before it calls the endpoint; here a table
finds it. What an endpoint raises is answered as everywhere (`answer_problem`); every other
request goes on to the framework, and the routes, their documents and their checks stay its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from inspect import iscoroutinefunction, signature

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from api.problems import ANSWERED, answer_problem


class Direct:
    """Stands before the router; calls endpoints that need nothing but the request."""

    def __init__(self, app: ASGIApp, routes: Iterable[BaseRoute]) -> None:
        """Take the routes of the application; the first of a method and path counts."""
        self.app = app
        self.routes: dict[tuple[str, str], APIRoute] = {}
        for route in routes:
            if isinstance(route, APIRoute) and needs_nothing(route):
                for method in route.methods or ():
                    self.routes.setdefault((method, route.path), route)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request without a query whose endpoint is known, pass on any other."""
        route = None
        if scope["type"] == "http" and not scope["query_string"]:
            route = self.routes.get((scope["method"], scope["path"]))
        if route is None:
            await self.app(scope, receive, send)
            return
        scope["route"] = route
        request = Request(scope, receive, send)
        try:
            response = await route.endpoint(request)
        except ANSWERED as error:
            response = await answer_problem(request, error)
        await response(scope, receive, send)


def needs_nothing(route: APIRoute) -> bool:
    """Tell whether an endpoint can be called with the request alone when there is no query."""
    asked, parameters = route.dependant, list(signature(route.endpoint).parameters.values())
    return (
        bool(parameters)
        and parameters[0].name == asked.request_param_name
        and iscoroutinefunction(route.endpoint)
        and not any((asked.path_params, asked.header_params, asked.cookie_params,
                     asked.body_params, asked.dependencies))
        and all(isinstance(parameter.default, (bool, int, str, type(None)))
                for parameter in parameters[1:])
    )  # fmt: skip
