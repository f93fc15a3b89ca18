"""Tests of :mod:`pushd.http.router`: its tables know what Klein's URL map knows, and nothing else."""

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound

from pushd.admin.commands import CommandsApp
from pushd.admin.devices import DevicesApp
from pushd.dialects.controlid.app import ControlIdApp
from pushd.dialects.servereye.app import ServerEyeApp
from pushd.http.router import Router

APPS = [CommandsApp, DevicesApp, ControlIdApp, ServerEyeApp]
METHODS = [b"GET", b"POST", b"PATCH", b"DELETE", b"HEAD", b"BREW"]

part = st.sampled_from("v1 devices commands push ack result signoff cancel secret . ..".split()) | st.text(
    st.characters(exclude_characters="/?#%", exclude_categories=["Cs"]), max_size=4
)
path = st.lists(part, max_size=6).map(lambda parts: "/" + "/".join(parts))


def judged(router: Router, method: bytes, text: str) -> Any:
    """What the URL map says of a request: a route and its parameters, or an error."""
    try:
        endpoint, parts = router.url_map.bind("localhost").match(text, method.decode())
    except HTTPException as error:
        return type(error)
    return endpoint, dict(parts)


@example(app=ControlIdApp, method=b"GET", text="//push")
@given(app=st.sampled_from(APPS), method=st.sampled_from(METHODS), text=path)
def test_tables_agree_with_the_map(app: Any, method: bytes, text: str) -> None:
    """Whatever is asked for, it is answered by the route that was declared for it, or by none."""
    router: Router = app.router
    expected = judged(router, method, text)
    try:
        route, parts = router.find(method, text.encode())
        found: Any = (route.__name__, dict(parts))
    except HTTPException as error:
        found = type(error)
    assert found == expected


@pytest.mark.parametrize("app", APPS)
def test_each_route_is_found(app: Any) -> None:
    """Each route answers at its path, with the parts of that path, and a HEAD never reaches one."""
    router: Router = app.router
    for rule in router.url_map.iter_rules():
        parts = {name: f"a {name}" for name in rule.arguments}
        filled = rule.rule
        for name, value in parts.items():
            filled = filled.replace(f"<{name}>", value)
        for method in rule.methods or ():
            route, found = router.find(method.encode(), filled.encode())
            assert (route.__name__, found) == (rule.endpoint, parts)
        with pytest.raises(MethodNotAllowed):
            router.find(b"HEAD", filled.encode())


def test_no_path_of_ours() -> None:
    """What nobody declared is not found."""
    with pytest.raises(NotFound):
        ServerEyeApp.router.find(b"GET", b"/push")
