"""The versions of the measured servers."""

import json
import platform
import subprocess
from collections.abc import Iterator
from importlib.metadata import version
from shutil import which

from benchmarks.install import ENVIRONMENT, NGINX, NODE_MODULES, PYTHON_PACKAGES

_PROGRAMS = (("node", "--version"), (NGINX, "-v"), ("redis-server", "--version"))


def versions() -> str:
    """The versions of pushd's requirements, and of the other servers that are installed."""
    own = [f"Python {platform.python_version()}", *(f"{name} {version(name)}" for name in ("twisted", "klein"))]
    return ", ".join([*own, *_python_packages(), *_express(), *_programs()])


def _python_packages() -> Iterator[str]:
    for name in PYTHON_PACKAGES:
        for found in ENVIRONMENT.glob(f"lib/python3*/site-packages/{name}-*.dist-info"):
            yield found.name.removesuffix(".dist-info").replace("-", " ")


def _express() -> Iterator[str]:
    for found in NODE_MODULES.glob("express/package.json"):
        yield f"express {json.loads(found.read_text('utf-8'))['version']}"


def _programs() -> Iterator[str]:
    for name, option in _PROGRAMS:
        if program := which(name):
            run = subprocess.run([program, option], capture_output=True, text=True, timeout=10, check=False)
            output = (run.stdout + run.stderr).split()
            number = next((each for each in output if any(char.isdigit() for char in each)), "")
            yield f"{name.rpartition('/')[2]} {number.rpartition('=')[2].rpartition('/')[2].lstrip('v')}"
