"""Permissions: dependencies of the routes that check login, CSRF token and role."""

import hmac
from typing import Annotated

from fastapi import Depends, HTTPException
from starlette.requests import HTTPConnection

from connectors.console.api.sessions import CSRF_HEADER, Sessions, Visitor
from connectors.console.sign_in.proxy import ProxyRefusedError
from connectors.console.store.accounts import DEMONSTRATION, Role, User

SAFE = ("GET", "HEAD", "OPTIONS")


def visitor_of(connection: HTTPConnection) -> Visitor:
    """Return who asks; 401 without a login, 403 if a change lacks the CSRF token or a proxy is not believed."""
    sessions: Sessions = connection.app.state.sessions
    try:
        visitor = sessions.visitor(connection)
    except ProxyRefusedError as refused:
        raise HTTPException(403, str(refused)) from refused
    if visitor is None:
        raise HTTPException(401, "expected a login", {"www-authenticate": "Bearer"})
    if visitor.csrf is not None and connection.scope.get("method", "GET") not in SAFE:
        given = connection.headers.get(CSRF_HEADER, "")
        if not hmac.compare_digest(given.encode(), visitor.csrf.encode()):
            raise HTTPException(403, f"expected this session's token in the header {CSRF_HEADER}")
    return visitor


def person_of(visitor: Annotated[Visitor, Depends(visitor_of)]) -> User:
    """Return the user who asks in a session, who may lack a second factor; 403 with a token or on an open page."""
    if visitor.csrf is None or visitor.user == DEMONSTRATION or visitor.user.is_external:
        raise HTTPException(403, "expected a user who has logged in with a password")
    return visitor.user


def _user_with(visitor: Visitor, role: Role) -> User:
    if visitor.must_set_up:
        raise HTTPException(403, "a second factor is required; set it up first")
    if not visitor.user.role.may(role):
        raise HTTPException(403, f"expected the role {role}, got {visitor.user.role}")
    return visitor.user


def viewer_of(visitor: Annotated[Visitor, Depends(visitor_of)]) -> User:
    """Return the user who asks; 403 unless the user is at least a viewer."""
    return _user_with(visitor, Role.VIEWER)


def operator_of(visitor: Annotated[Visitor, Depends(visitor_of)]) -> User:
    """Return the user who asks; 403 unless the user is at least an operator."""
    return _user_with(visitor, Role.OPERATOR)


def administrator_of(visitor: Annotated[Visitor, Depends(visitor_of)]) -> User:
    """Return the user who asks; 403 unless the user is an administrator."""
    return _user_with(visitor, Role.ADMINISTRATOR)


def check_sees_all(user: User, why: str) -> None:
    """Raise 403 unless a user sees all cameras; ``why`` says what needs that, such as "rules are of all cameras"."""
    if user.cameras is not None:
        raise HTTPException(403, f"{why}, and you may not see all of them")


Anyone = Annotated[Visitor, Depends(visitor_of)]
Person = Annotated[User, Depends(person_of)]
Viewer = Annotated[User, Depends(viewer_of)]
Operator = Annotated[User, Depends(operator_of)]
Administrator = Annotated[User, Depends(administrator_of)]
