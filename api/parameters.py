"""Query parameters that a route does not have, or that come twice, are refused: `from=` for `start=` must not quietly give other data."""

from __future__ import annotations

from collections.abc import Iterator

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.requests import Request

from api.places import choices
from api.problem import Problem


async def only_known(request: Request) -> None:
    """A dependency of every route of the API. Raises Problem (422) that names the parameter and those the route has."""
    route = request.scope.get("route")
    if not isinstance(route, APIRoute):
        return
    known = sorted(set(_names(route.dependant)))
    given = [name for name, _ in request.query_params.multi_items()]
    for name in given:
        if name not in known:
            raise Problem(422, "no_parameter", parameter=name, choices=choices(known))
        if given.count(name) > 1:
            raise Problem(422, "twice", parameter=name)


def _names(dependant: Dependant) -> Iterator[str]:
    yield from (field.alias for field in dependant.query_params)
    for inner in dependant.dependencies:
        yield from _names(inner)
