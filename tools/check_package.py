"""``python -m tools.check_package DIST``: whether what was built there is whole, and works where nothing else is
installed.

Prints one line; exits 0, or 1 if something is missing.
"""

import os
import subprocess
import sys
import tarfile
import venv
from pathlib import Path
from tempfile import TemporaryDirectory

SOURCES = (
    "LICENSE",
    "Makefile",
    "README.rst",
    "docs/index.rst",
    "newsfragments/README.rst",
    "pushd/store/sqlite/schema/0001.sql",
    "setup.cfg",
    "tests/conftest.py",
    "tests/integration/test_commands.py",
    "twisted/plugins/pushd_plugin.py",
)
"""What a source distribution has among others."""

DATA = ("py.typed", "store/sqlite/schema/0001.sql")
"""Files in the package that are no modules."""

CALLS = (
    ("twistd --help", (" pushd ", " pushd-simulate ")),
    ("twistd pushd --help", ("--data-dir", "--devices")),
    ("twistd pushd-simulate --help", ("--server",)),
    ("pushctl --help", ("devices", "send")),
)
"""Commands that a new installation has, and what they tell of."""

WHERE = "import pathlib, pushd; print(pathlib.Path(pushd.__file__).parent)"


class Incomplete(Exception):
    """What was built is not whole; the message is one line."""


def only(folder: Path, pattern: str) -> Path:
    """The one file of its kind.

    :raises Incomplete: if there is none, or more.
    """
    found = list(folder.glob(pattern))
    if len(found) != 1:
        raise Incomplete(f"{folder} has {len(found)} files {pattern}; there must be one")
    return found[0]


def check_sources(archive: Path) -> None:
    """Look into a source distribution.

    :raises Incomplete: if something is not in it.
    """
    with tarfile.open(archive) as sources:
        names = {name.partition("/")[2] for name in sources.getnames()}
    missing = sorted(set(SOURCES) - names)
    if missing:
        raise Incomplete(f"{archive.name} lacks {', '.join(missing)}")


def check_wheel(wheel: Path, folder: Path) -> None:
    """Install a wheel into a new environment in ``folder``, and call what it brings.

    :raises Incomplete: if something does not work.
    """
    venv.create(folder / "venv", with_pip=True)
    run(folder, "python -m pip install --quiet --disable-pip-version-check", str(wheel))
    for call, words in CALLS:
        output = run(folder, call)
        missing = [word for word in words if word not in output]
        if missing:
            raise Incomplete(f"{call} does not tell of {missing[0].strip()}")
    package = Path(run(folder, "python", "-c", WHERE).strip())
    lacking = [name for name in DATA if not (package / name).is_file()]
    if lacking:
        raise Incomplete(f"{wheel.name} lacks {', '.join(lacking)}")


def run(folder: Path, call: str, *more: str) -> str:
    """Run a program of the new environment, where nothing leads to this checkout; what it prints.

    :raises Incomplete: if it fails.
    """
    alone = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    program, *words = [*call.split(), *more]
    command = [str(folder / "venv" / "bin" / program), *words]
    shown = subprocess.run(command, cwd=folder, env=alone, capture_output=True, text=True, check=False)
    if shown.returncode != 0:
        last = (shown.stderr or shown.stdout).strip().rpartition("\n")[2]
        raise Incomplete(f"{call} fails: {last}")
    return shown.stdout


def main(dist: Path) -> int:
    """Check all that was built; the exit code."""
    try:
        wheel = only(dist, "*.whl")
        check_sources(only(dist, "*.tar.gz"))
        with TemporaryDirectory(prefix="pushd-package-") as folder:
            check_wheel(wheel, Path(folder))
    except Incomplete as error:
        sys.stdout.write(f"package: {error}\n")
        return 1
    sys.stdout.write(f"package: {wheel.name} installs, and twistd and pushctl work from it\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
