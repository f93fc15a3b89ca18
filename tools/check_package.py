"""``python -m tools.check_package DIST``: check that the distributions in a directory are complete, and that the wheel
works in a new environment: its programs, and the libraries for programs of others, with their types.

Prints one line, and exits with 1 if something is missing.
"""

import os
import shutil
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
    "pushd/dialects/controlid/catalogue.toml",
    "pushd/store/sqlite/schema/0001.sql",
    "setup.cfg",
    "tests/conftest.py",
    "tests/integration/test_commands.py",
    "twisted/plugins/pushd_plugin.py",
)
"""Some files that a source distribution must have."""

DATA = (
    "admin/openapi_examples.json",
    "dashboard/static/index.html",
    "dashboard/static/main.js",
    "dashboard/static/vendor/preact/LICENSE",
    "dashboard/static/vendor/preact/dist/preact.mjs",
    "py.typed",
    "dialects/controlid/catalogue.toml",
    "dialects/servereye/catalogue.toml",
    "store/sqlite/schema/0001.sql",
)
"""Files in the package that are not modules."""

COMMANDS = (
    ("twistd --help", (" pushd ", " pushd-simulate ")),
    ("twistd pushd --help", ("--data-dir", "--devices")),
    ("twistd pushd-simulate --help", ("--server",)),
    ("pushd-server --help", ("--data-dir", "--devices")),
    ("pushd-simulate --help", ("--server",)),
    ("pushctl --help", ("devices", "send")),
)
"""Commands that an installation has, and some words of their output."""

PRINT_LOCATION = "import pathlib, pushd.client; print(pathlib.Path(pushd.__file__).parent)"

EXAMPLES = Path(__file__).parents[1] / "docs" / "examples"


class Incomplete(Exception):
    """A distribution is incomplete; the message is one line."""


def only(folder: Path, pattern: str) -> Path:
    """Return the only file that matches a pattern.

    :raises Incomplete: if there is none, or more than one.
    """
    found = list(folder.glob(pattern))
    if len(found) != 1:
        raise Incomplete(f"{folder} has {len(found)} files {pattern}, but must have one")
    return found[0]


def check_sources(archive: Path) -> None:
    """Check the files of a source distribution.

    :raises Incomplete: if some are missing.
    """
    with tarfile.open(archive) as sources:
        names = {name.partition("/")[2] for name in sources.getnames()}
    missing = sorted(set(SOURCES) - names)
    if missing:
        raise Incomplete(f"{archive.name} lacks {', '.join(missing)}")


def check_wheel(wheel: Path, folder: Path) -> None:
    """Install a wheel into a new environment in ``folder``, and run its commands.

    :raises Incomplete: if one does not work.
    """
    venv.create(folder / "venv", with_pip=True)
    run(folder, "python -m pip install --quiet --disable-pip-version-check", str(wheel))
    for command, words in COMMANDS:
        output = run(folder, command)
        missing = [word for word in words if word not in output]
        if missing:
            raise Incomplete(f"{command} does not show {missing[0].strip()}")
    package = Path(run(folder, "python", "-c", PRINT_LOCATION).strip())
    missing = [name for name in DATA if not (package / name).is_file()]
    if missing:
        raise Incomplete(f"{wheel.name} lacks {', '.join(missing)}")


def check_libraries(wheel: Path, folder: Path) -> None:
    """Run the tests of the example project with ``pushd.client`` and ``pushd.testing`` of the wheel that is installed
    in ``folder``, and check the types of programs that use them.

    :raises Incomplete: if a test or a type is wrong.
    """
    run(folder, "python -m pip install --quiet --disable-pip-version-check", f"{wheel}[testing]")
    project = Path(shutil.copytree(EXAMPLES / "project", folder / "project"))
    run(folder, "python -m pytest -q -p no:cacheprovider --rootdir", str(project), str(project))
    programs = [str(path) for path in (*project.glob("*.py"), *EXAMPLES.glob("client/*.py"))]
    python = f"--python-executable={folder / 'venv' / 'bin' / 'python'}"
    finish("mypy", folder, sys.executable, "-m", "mypy", "--strict", "--config-file=", python, *programs)


def run(folder: Path, command: str, *arguments: str) -> str:
    """Run a program of the new environment; its output.

    :raises Incomplete: if it fails.
    """
    program, *rest = [*command.split(), *arguments]
    return finish(command, folder, str(folder / "venv" / "bin" / program), *rest)


def finish(what: str, folder: Path, *words: str) -> str:
    """Run a program that does not find this source tree, until it ends; its output.

    :raises Incomplete: if it fails.
    """
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = (done.stderr or done.stdout).strip().rpartition("\n")[2]
        raise Incomplete(f"{what} fails: {last}")
    return done.stdout


def main(dist: Path) -> int:
    """Check all distributions; the exit code."""
    try:
        wheel = only(dist, "*.whl")
        check_sources(only(dist, "*.tar.gz"))
        with TemporaryDirectory(prefix="pushd-package-") as folder:
            check_wheel(wheel, Path(folder))
            check_libraries(wheel, Path(folder))
    except Incomplete as error:
        sys.stdout.write(f"package: {error}\n")
        return 1
    sys.stdout.write(f"package: {wheel.name} installs; its programs, client and test fixtures work\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
