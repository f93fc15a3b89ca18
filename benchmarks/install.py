"""Installs what the other servers need: Python packages and Express below ``.venv-bench``, and Debian packages.

A server that cannot be installed is listed as missing below the table.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from shutil import which

from benchmarks.machine import ROOT

ENVIRONMENT = ROOT / ".venv-bench"
PYTHON = ENVIRONMENT / "bin" / "python"
NODE_MODULES = ENVIRONMENT / "node_modules"
NCHAN = Path("/usr/lib/nginx/modules/ngx_nchan_module.so")
NGINX = "/usr/sbin/nginx"

PYTHON_PACKAGES = ("aiohttp", "uvloop", "uvicorn", "httptools", "starlette")
_TIMEOUT = 300.0

Log = Callable[[str], None]


def has_python_packages() -> bool:
    """Whether aiohttp and Starlette are installed."""
    return PYTHON.exists() and any(ENVIRONMENT.glob("lib/python3*/site-packages/starlette"))


def has_express() -> bool:
    """Whether Express is installed."""
    return which("node") is not None and (NODE_MODULES / "express").is_dir()


def has_nchan() -> bool:
    """Whether nginx with nchan is installed."""
    return Path(NGINX).exists() and NCHAN.exists()


def has_redis() -> bool:
    """Whether Redis is installed."""
    return which("redis-server") is not None


def install(log: Log) -> None:
    """Install what is missing, as far as possible."""
    ENVIRONMENT.mkdir(exist_ok=True)
    _install_debian_packages(log)
    if not has_python_packages():
        _run(log, sys.executable, "-m", "venv", str(ENVIRONMENT))
        _run(log, str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PYTHON_PACKAGES)
    if which("npm") and not has_express():
        _run(log, "npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(ENVIRONMENT), "express")


def _install_debian_packages(log: Log) -> None:
    missing: list[str] = []
    if not has_nchan():
        missing += ["nginx-light", "libnginx-mod-nchan"]
    if not has_redis():
        missing.append("redis-server")
    if which("node") is None or which("npm") is None:
        missing += ["nodejs", "npm"]
    if not missing or which("apt-get") is None or os.geteuid() != 0:
        return
    _run(log, "apt-get", "update", "-qq")
    _run(log, "apt-get", "install", "-qq", "--yes", "--no-install-recommends", *missing)


def _run(log: Log, *command: str) -> None:
    log(f"installing: {' '.join(command)}")
    env = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT, check=False, env=env)
    except (OSError, subprocess.TimeoutExpired) as error:
        log(f"  failed: {error}")
        return
    if run.returncode:
        lines = run.stderr.splitlines()
        log(f"  failed: {lines[-1] if lines else f'exit code {run.returncode}'}")
