"""What the peers need: Python packages in an environment of their own, Express beside it, and Debian's packages.

All but Debian's packages goes below ``.venv-bench``. What cannot be installed is missing from the table, by name.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from shutil import which

from benchmarks.machine import HOME

PLACE = HOME / ".venv-bench"
PYTHON = PLACE / "bin" / "python"
NODE_MODULES = PLACE / "node_modules"
NCHAN = Path("/usr/lib/nginx/modules/ngx_nchan_module.so")
NGINX = "/usr/sbin/nginx"

PYTHON_PACKAGES = ("aiohttp", "uvloop", "uvicorn", "httptools", "starlette")
_PATIENCE = 300.0

Say = Callable[[str], None]


def has_python_packages() -> bool:
    """Whether aiohttp and Starlette can be run."""
    return PYTHON.exists() and any(PLACE.glob("lib/python3*/site-packages/starlette"))


def has_express() -> bool:
    """Whether Express can be run."""
    return which("node") is not None and (NODE_MODULES / "express").is_dir()


def has_nchan() -> bool:
    """Whether nginx with nchan can be run."""
    return Path(NGINX).exists() and NCHAN.exists()


def has_redis() -> bool:
    """Whether Redis can be run."""
    return which("redis-server") is not None


def install(say: Say) -> None:
    """Install what is missing, as far as that is possible here."""
    PLACE.mkdir(exist_ok=True)
    _install_debian(say)
    if not has_python_packages():
        _try(say, sys.executable, "-m", "venv", str(PLACE))
        _try(say, str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PYTHON_PACKAGES)
    if which("npm") and not has_express():
        _try(say, "npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(PLACE), "express")


def _install_debian(say: Say) -> None:
    wanted: list[str] = []
    if not has_nchan():
        wanted += ["nginx-light", "libnginx-mod-nchan"]
    if not has_redis():
        wanted.append("redis-server")
    if which("node") is None or which("npm") is None:
        wanted += ["nodejs", "npm"]
    if not wanted or which("apt-get") is None or os.geteuid() != 0:
        return
    _try(say, "apt-get", "update", "-qq")
    _try(say, "apt-get", "install", "-qq", "--yes", "--no-install-recommends", *wanted)


def _try(say: Say, *words: str) -> None:
    say(f"installing: {' '.join(words)}")
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    try:
        run = subprocess.run(words, capture_output=True, text=True, timeout=_PATIENCE, check=False, env=quiet)
    except (OSError, subprocess.TimeoutExpired) as error:
        say(f"  failed: {error}")
        return
    if run.returncode:
        say(f"  failed: {_last_line(run.stderr.splitlines())}")


def _last_line(lines: Sequence[str]) -> str:
    return lines[-1] if lines else "no word why"
