"""Tests of the libraries that the dashboard brings, and of the tool that fetches them."""

import io
import shutil
import tarfile
from base64 import b64encode
from hashlib import sha256, sha512
from pathlib import Path
from typing import Any

import pytest

from tools import vendor

ORIGINAL = b"export const answer = 42;\n"


def archive_of(files: dict[str, bytes]) -> bytes:
    """An archive as npm packs it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(f"package/{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def package_of(archive: bytes, files: dict[str, bytes]) -> dict[str, Any]:
    """What the list says of a package."""
    return {
        "name": "answer",
        "version": "1.0.0",
        "integrity": f"sha512-{b64encode(sha512(archive).digest()).decode()}",
        "folder": "answer",
        "files": {name: sha256(content).hexdigest() for name, content in files.items()},
    }


def test_the_files_are_those_of_the_list() -> None:
    """The vendored files are byte for byte those of the list, each package with its licence."""
    assert vendor.main(["--check"]) == 0
    for package in vendor.packages(vendor.FOLDER):
        assert "LICENSE" in package["files"]


def test_a_changed_file_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that was changed, added or removed fails the check, with its name."""
    folder = shutil.copytree(vendor.FOLDER, tmp_path / "vendor")
    changed = folder / "htm" / "dist" / "htm.module.js"
    original = changed.read_bytes()
    changed.write_bytes(original + b"\n")
    assert vendor.main(["--check"], folder) == 1
    assert "dist/htm.module.js of htm 3.1.1 has the SHA-256" in capsys.readouterr().out
    changed.unlink()
    assert vendor.main(["--check"], folder) == 1
    assert "htm/dist/htm.module.js is missing" in capsys.readouterr().out
    changed.write_bytes(original)
    (folder / "extra.js").write_bytes(b"")
    assert vendor.main(["--check"], folder) == 1
    assert "extra.js is not in vendor.toml" in capsys.readouterr().out


def test_an_archive_is_checked_before_it_is_read() -> None:
    """An archive with another integrity is refused, whatever is in it; and so is a file with another content."""
    archive = archive_of({"index.js": ORIGINAL})
    package = package_of(archive, {"index.js": ORIGINAL})
    assert dict(vendor.unpack(package, archive)) == {"index.js": ORIGINAL}
    with pytest.raises(vendor.Unfit, match="integrity"):
        list(vendor.unpack(package, b"no archive"))
    with pytest.raises(vendor.Unfit, match="SHA-256"):
        list(vendor.unpack({**package, "files": {"index.js": "0" * 64}}, archive))
    with pytest.raises(vendor.Unfit, match=r"has no file other\.js"):
        list(vendor.unpack({**package, "files": {"other.js": "0" * 64}}, archive))
