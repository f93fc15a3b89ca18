"""Tests of :mod:`pushd.http.router`: its tables hold what Klein's URL map holds, and nothing else."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound

from pushd.admin.commands import CommandsApp
from pushd.admin.devices import DevicesApp
from pushd.dialects.controlid.app import ControlIdApp
from pushd.dialects.servereye.app import ServerEyeApp
from pushd.http.router import Router, unquoted

APPS = [CommandsApp, DevicesApp, ControlIdApp, ServerEyeApp]
METHODS = [b"GET", b"POST", b"PATCH", b"DELETE", b"HEAD", b"BREW", b"-"]

part = st.sampled_from("v1 devices commands push ack result signoff cancel secret . ..".split()) | st.text(
    st.characters(exclude_characters="/?#%", exclude_categories=["Cs"]), max_size=4
)
path = st.lists(part, max_size=6).map(lambda parts: "/" + "/".join(parts))


def match(router: Router, method: bytes, text: str) -> Any:
    """What the URL map finds for a request: a route and its parameters, or an error."""
    try:
        endpoint, parts = router.url_map.bind("localhost").match(text, method.decode())
    except HTTPException as error:
        return type(error)
    return endpoint, dict(parts)


@example(app=ControlIdApp, method=b"GET", text="//push")
@given(app=st.sampled_from(APPS), method=st.sampled_from(METHODS), text=path)
def test_tables_agree_with_the_map(app: Any, method: bytes, text: str) -> None:
    """For any request, the tables find the route that the URL map finds, or raise its error."""
    router: Router = app.router
    expected = match(router, method, text)
    try:
        route, parts = router.find(method, unquoted(text.encode()))
        found: Any = (route.__name__, dict(parts))
    except HTTPException as error:
        found = type(error)
    assert found == expected


@pytest.mark.parametrize("app", APPS)
def test_each_route_is_found(app: Any) -> None:
    """Each route is found by its path, with its parameters; HEAD is not allowed for any."""
    router: Router = app.router
    for rule in router.url_map.iter_rules():
        parts = {name: f"a {name}" for name in rule.arguments}
        filled = rule.rule
        for name, value in parts.items():
            filled = filled.replace(f"<{name}>", value)
        for method in rule.methods or ():
            route, found = router.find(method.encode(), filled)
            assert (route.__name__, found) == (rule.endpoint, parts)
        with pytest.raises(MethodNotAllowed):
            router.find(b"HEAD", filled)


@pytest.mark.parametrize("method", [b"get", b"Get", b"gET", b"post", b"-"])
def test_case_of_methods(method: bytes) -> None:
    """Methods are case-sensitive: one in lower case is not allowed, whatever route there is."""
    with pytest.raises(MethodNotAllowed) as refused:
        ControlIdApp.router.find(method, "/result")
    assert refused.value.valid_methods == ["POST"]
    with pytest.raises(NotFound):
        ControlIdApp.router.find(method, "/nothing")


def test_unknown_path() -> None:
    """A path that no route declares is not found."""
    with pytest.raises(NotFound):
        ServerEyeApp.router.find(b"GET", "/push")
