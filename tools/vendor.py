"""``python -m tools.vendor``: fetch the libraries of the dashboard that ``vendor.toml`` names from npm's registry.

``npm pack`` fetches, so that npm's own configuration says from which registry. The archive of each package must have
the ``integrity``, and each file the SHA-256, that ``vendor.toml`` gives. With ``--check``, nothing is fetched: the
files that are there are compared with it. Prints one line, and exits with 1 if something does not fit.
"""

import subprocess
import sys
import tarfile
import tomllib
from base64 import b64encode
from collections.abc import Iterator, Mapping
from hashlib import sha256, sha512
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

FOLDER = Path(__file__).parents[1] / "pushd" / "dashboard" / "static" / "vendor"
LIST = "vendor.toml"
FETCH_SECONDS = 120

Package = Mapping[str, Any]


class Unfit(Exception):
    """A package or a file is not what ``vendor.toml`` says; the message is one line."""


def packages(folder: Path) -> list[Package]:
    """The packages that the list in a folder names."""
    found: list[Package] = tomllib.loads((folder / LIST).read_text("utf-8"))["package"]
    return found


def check_archive(package: Package, archive: bytes) -> None:
    """Check the archive of a package, before anything in it is read.

    :raises Unfit: if it has another integrity.
    """
    integrity = f"sha512-{b64encode(sha512(archive).digest()).decode()}"
    if integrity != package["integrity"]:
        raise Unfit(f"{package['name']} {package['version']} has the integrity {integrity}")


def check_file(package: Package, name: str, content: bytes) -> None:
    """Check a file of a package.

    :raises Unfit: if it has another SHA-256.
    """
    found = sha256(content).hexdigest()
    if found != package["files"][name]:
        raise Unfit(f"{name} of {package['name']} {package['version']} has the SHA-256 {found}")


def unpack(package: Package, archive: bytes) -> Iterator[tuple[str, bytes]]:
    """The files of a package that are listed, by name.

    :raises Unfit: if the archive or a file is another one, or missing.
    """
    check_archive(package, archive)
    with tarfile.open(fileobj=BytesIO(archive)) as files:
        for name in package["files"]:
            try:
                file = files.extractfile(f"package/{name}")
            except KeyError:
                file = None
            if file is None:
                raise Unfit(f"{package['name']} {package['version']} has no file {name}")
            content = file.read()
            check_file(package, name, content)
            yield name, content


def fetch(package: Package) -> bytes:
    """The archive of a package, from npm's registry.

    :raises Unfit: if npm cannot fetch it.
    """
    with TemporaryDirectory(prefix="pushd-vendor-") as folder:
        words = ["npm", "pack", "--loglevel=error", f"{package['name']}@{package['version']}"]
        done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=FETCH_SECONDS, check=False)
        found = list(Path(folder).glob("*.tgz"))
        if done.returncode or len(found) != 1:
            raise Unfit(f"npm pack {words[-1]} fails: {done.stderr.strip()}")
        return found[0].read_bytes()


def update(folder: Path) -> None:
    """Fetch all packages, and write their files.

    :raises Unfit: if one does not fit.
    """
    for package in packages(folder):
        for name, content in unpack(package, fetch(package)):
            path = folder / package["folder"] / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def check(folder: Path) -> None:
    """Compare the files in a folder with its list.

    :raises Unfit: if one differs, is missing, or is not in the list.
    """
    listed = {folder / LIST}
    for package in packages(folder):
        for name in package["files"]:
            path = folder / package["folder"] / name
            listed.add(path)
            if not path.is_file():
                raise Unfit(f"{path.relative_to(folder)} is missing; run python -m tools.vendor")
            check_file(package, name, path.read_bytes())
    others = sorted(path for path in folder.rglob("*") if path.is_file() and path not in listed)
    if others:
        raise Unfit(f"{others[0].relative_to(folder)} is not in {LIST}")


def main(arguments: list[str], folder: Path = FOLDER) -> int:
    """Fetch or check; the exit code."""
    try:
        if "--check" not in arguments:
            update(folder)
        check(folder)
    except Unfit as error:
        sys.stdout.write(f"vendor: {error}\n")
        return 1
    sys.stdout.write(f"vendor: {len(packages(folder))} packages fit {LIST}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
