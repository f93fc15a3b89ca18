"""``/openapi.json`` and ``/docs``: the OpenAPI document of the admin API, for programs and for people."""

from collections.abc import Iterable
from functools import cache
from typing import Self

from attrs import define

from pushd.admin import json_views, openapi_page
from pushd.admin.json_schema import ANY_OBJECT, Component
from pushd.admin.openapi_document import build_document
from pushd.admin.operations import Answer, answers
from pushd.admin.problem_details import problem
from pushd.http.request import Request
from pushd.http.router import IApp, Router
from pushd.model.dialect import Dialect


@define(eq=False)
class OpenApiApp:
    """Serves the document, which is made once."""

    router = Router(problem)

    content: bytes = b""
    """The document."""
    page: bytes = b""
    """The same for people."""

    @classmethod
    def of(cls, apps: Iterable[IApp], dialects: Iterable[Dialect], version: str) -> Self:
        """The document of an admin port with these apps, and this one."""
        app = cls()
        app.content, app.page = _render((cls, *map(type, apps)), tuple(dialects), version)
        return app

    @router.route("/openapi.json", methods=["GET"])
    @answers({200: Answer("The document.", Component("OpenApi", ANY_OBJECT))})
    async def document(self, _request: Request) -> bytes:
        """The description of all calls, in OpenAPI 3.1."""
        return self.content

    @router.route("/docs", methods=["GET"])
    @answers({200: Answer("The page.", media_type="text/html; charset=utf-8")})
    async def show(self, request: Request) -> bytes:
        """The description of all calls, as a page for people."""
        request.content_type = b"text/html; charset=utf-8"
        request.setHeader(b"Content-Security-Policy", openapi_page.CONTENT_SECURITY_POLICY.encode())
        request.setHeader(b"X-Content-Type-Options", b"nosniff")
        return self.page


@cache
def _render(apps: tuple[type[IApp], ...], dialects: tuple[Dialect, ...], version: str) -> tuple[bytes, bytes]:
    """The document, as JSON and as a page; once, however many servers a process of tests starts."""
    document = build_document(apps, dialects, version)
    return json_views.json(document), openapi_page.render(document)
