"""The routes of the dashboard: its files, and one page for all other paths, which shows what the path names."""

from typing import Self

from attrs import define
from werkzeug.exceptions import NotFound

from pushd.admin.problem_details import problem
from pushd.dashboard.assets import Asset, Assets
from pushd.dashboard.policy import OPENER_POLICY, honours_opener_policy, security_headers
from pushd.http.request import Request
from pushd.http.router import Router

_FOREVER = b"public, max-age=31536000, immutable"
_METHODS = ("GET", "HEAD")


@define(eq=False)
class DashboardApp:
    """Serves files that are read once."""

    router = Router(problem)

    assets: Assets
    headers: tuple[tuple[bytes, bytes], ...]
    """Of every response."""

    @classmethod
    def of(cls, assets: Assets) -> Self:
        """The app for some files."""
        return cls(assets, security_headers(assets.import_map))

    @router.route("/assets/<version>/<path:path>", methods=_METHODS)
    def asset(self, request: Request, version: str, path: str) -> bytes:
        """A file of this version; another version is another server's, or one of before an upgrade."""
        asset = self.assets.files.get(path)
        if asset is None or version != self.assets.version:
            raise NotFound
        request.allow_caching(_FOREVER)
        return self._content(request, asset)

    @router.route("/", methods=_METHODS)
    def home(self, request: Request) -> bytes:
        """The page."""
        return self._page(request)

    @router.route("/<path:path>", methods=_METHODS)
    def page(self, request: Request, path: str) -> bytes:  # noqa: ARG002 - the browser reads the path
        """The page, for browsers: a device that polls here by mistake must not take it for an answer."""
        if b"text/html" not in (request.getHeader(b"Accept") or b""):
            raise NotFound
        return self._page(request)

    def _page(self, request: Request) -> bytes:
        if honours_opener_policy(request):
            request.setHeader(*OPENER_POLICY)
        return self._content(request, self.assets.page)

    def _content(self, request: Request, asset: Asset) -> bytes:
        request.content_type = asset.media_type.encode("ascii")
        for name, value in self.headers:
            request.setHeader(name, value)
        request.setHeader(b"Vary", b"Accept-Encoding")
        if _takes_gzip(request):
            request.setHeader(b"Content-Encoding", b"gzip")
            return asset.compressed
        return asset.content


def _takes_gzip(request: Request) -> bool:
    """Whether the client says that it reads gzip, and not that it does not (``gzip;q=0``)."""
    names = (request.getHeader(b"Accept-Encoding") or b"").lower().replace(b" ", b"").split(b",")
    return b"gzip" in names
