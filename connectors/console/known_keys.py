"""Refuses queries with keys that a route does not have: they would be answered as if the keys were not there."""

from fastapi import HTTPException, Request
from fastapi.routing import APIRoute


def known_keys(request: Request) -> None:
    """Answer 422, naming the key, if a query has a key that its route does not have; a dependency of routes."""
    route = request.scope["route"]
    assert isinstance(route, APIRoute)
    known = sorted(field.alias for field in route.dependant.query_params)
    for key in request.query_params:
        if key not in known:
            expected = f"expected one of {', '.join(known)}" if known else "expected none"
            raise HTTPException(422, f"{key:.80}: there is no such key; {expected}")
