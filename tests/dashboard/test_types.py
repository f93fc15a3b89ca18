"""The JavaScript of the dashboard has types, in comments, and TypeScript finds no fault in it."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from pushd.admin.openapi import OpenApiApp
from pushd.dashboard.assets import STATIC
from tests.in_memory_server import InMemoryServer
from tests.programs import npm_install
from tools import vendor

pytestmark = [pytest.mark.slow(seconds=30), pytest.mark.timeout(300)]

SECONDS = 180
TOOLS = ("typescript@5.9.3", "openapi-typescript@7.13.0")

OPTIONS = {
    "allowJs": True,
    "checkJs": True,
    "noEmit": True,
    "strict": True,
    "noUncheckedIndexedAccess": True,
    "noPropertyAccessFromIndexSignature": True,
    "exactOptionalPropertyTypes": True,
    "skipLibCheck": True,
    "target": "es2022",
    "module": "esnext",
    "moduleResolution": "bundler",
    "lib": ["es2023", "dom", "dom.iterable"],
    "types": [],
}


def _run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    program = folder / "node_modules" / ".bin" / words[0]
    return subprocess.run(
        [str(program), *words[1:]], cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False
    )


def test_the_modules_fit_the_api_and_each_other(server: InMemoryServer, tmp_path: Path) -> None:
    """All modules pass the strictest checks, with the types of the API from the OpenAPI document; a module with a
    field that the API does not have fails them.
    """
    folder = tmp_path / "dashboard"
    static = shutil.copytree(STATIC, folder / "static")
    (folder / "package.json").write_text('{"private": true, "type": "module"}')
    libraries = (f"{package['name']}@{package['version']}" for package in vendor.packages(vendor.FOLDER))
    npm_install(folder, *TOOLS, *libraries)
    openapi = server.admin_port.pages["openapi.json"]
    assert isinstance(openapi, OpenApiApp)
    (folder / "openapi.json").write_bytes(openapi.content)
    types = _run(folder, "openapi-typescript", "openapi.json", "--output", "api-types.d.ts")
    assert types.returncode == 0, types.stderr
    config = {"compilerOptions": OPTIONS, "include": ["static/**/*.js"], "exclude": ["static/vendor"]}
    (folder / "tsconfig.json").write_text(json.dumps(config))
    checked = _run(folder, "tsc")
    assert checked.returncode == 0, checked.stdout

    module = static / "components" / "finder.js"
    module.write_text(module.read_text("utf-8").replace("device.admission", "device.admitted"), "utf-8")
    wrong = _run(folder, "tsc")
    assert wrong.returncode != 0
    assert "admitted" in wrong.stdout
