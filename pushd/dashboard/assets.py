"""The files of the dashboard, as they are served: below a path with their version, so that browsers keep them."""

import gzip
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache, cached_property
from hashlib import sha256
from pathlib import Path, PurePosixPath
from string import Template

from attrs import define, frozen

STATIC = Path(__file__).with_name("static")
PAGE = "index.html"
ENTRY = "main.js"
"""The module that the page loads."""

VENDOR_LIST = "vendor/vendor.toml"
"""Which libraries there are, and by which names modules import them."""

TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
"""The media types of what is served, by suffix."""

_IMPORT = re.compile(r"""(?:^|;)\s*(?:import|export)\b[^"'`;]*\bfrom\s*["']([^"']+)["']""", re.MULTILINE)
"""A static import of a module, or an export from one."""


@define(slots=False, eq=False)
class Asset:
    """A file."""

    content: bytes
    media_type: str

    @cached_property
    def compressed(self) -> bytes:
        """The content, compressed by gzip when a browser first asks for it."""
        return gzip.compress(self.content, mtime=0)


@frozen
class Assets:
    """All files, and the page that loads them."""

    version: str
    """Of the content: a new one whenever a file changes."""
    files: Mapping[str, Asset]
    """By path below ``static/``."""
    page: Asset
    import_map: str
    """The script in the page."""


@cache
def load_assets(static: Path = STATIC) -> Assets:
    """Read the files; once, as they do not change while the server runs."""
    files = {
        path.relative_to(static).as_posix(): Asset(path.read_bytes(), TYPES[path.suffix])
        for path in sorted(static.rglob("*"))
        if path.suffix in TYPES
    }
    page = (static / PAGE).read_text("utf-8")
    names = _vendored((static / VENDOR_LIST).read_text("utf-8"))
    digest = sha256(page.encode())
    for path, asset in files.items():
        digest.update(b"%b %d\n%b" % (path.encode(), len(asset.content), asset.content))
    version = digest.hexdigest()[:16]
    base = f"/assets/{version}"
    import_map = json.dumps({"imports": {name: f"{base}/{path}" for name, path in names.items()}})
    preload = "\n".join(
        f'<link rel="modulepreload" href="{base}/{path}">' for path in sorted(_static_imports(ENTRY, files, names))
    )
    text = Template(page).substitute(base=base, entry=f"{base}/{ENTRY}", import_map=import_map, preload=preload)
    return Assets(version, files, Asset(text.encode(), "text/html; charset=utf-8"), import_map)


def _vendored(text: str) -> dict[str, str]:
    """The paths of the libraries' modules, by the names by which they are imported."""
    return {
        name: f"vendor/{package['folder']}/{path}"
        for package in tomllib.loads(text)["package"]
        for name, path in package["imports"].items()
    }


def _static_imports(entry: str, files: Mapping[str, Asset], names: Mapping[str, str]) -> set[str]:
    """The modules that a module needs before it runs, and itself."""
    found: set[str] = set()
    todo = [entry]
    while todo:
        path = todo.pop()
        if path not in found:
            found.add(path)
            todo += _imports_of(path, files[path].content.decode("utf-8"), names)
    return found


def _imports_of(path: str, source: str, names: Mapping[str, str]) -> Iterator[str]:
    for name in _IMPORT.findall(source):
        yield names[name] if name in names else _joined(PurePosixPath(path).parent, name)


def _joined(folder: PurePosixPath, relative: str) -> str:
    """A path that is relative to a folder, from the top."""
    parts = list(folder.parts)
    for part in PurePosixPath(relative).parts:
        if part == "..":
            parts.pop()
        else:
            parts.append(part)
    return "/".join(parts)
