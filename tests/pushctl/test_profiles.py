"""Tests of the file of profiles."""

from pathlib import Path

import pytest

from pushd.pushctl.errors import Misconfigured
from pushd.pushctl.profiles import Profile, Profiles, load_profiles, save_profiles

LAB = Profile(url="https://lab.example", token="secret")


def test_saved_profiles_are_loaded(tmp_path: Path) -> None:
    """What is saved is read again."""
    path = tmp_path / "below" / "profiles.json"
    saved = Profiles().with_profile("lab", LAB)
    save_profiles(path, saved)
    assert load_profiles(path) == saved


def test_missing_file_has_no_profiles(tmp_path: Path) -> None:
    """Before the first login there are none."""
    assert load_profiles(tmp_path / "profiles.json") == Profiles()


def test_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    """Tokens that other users can read are not used; the message says how to use them nevertheless."""
    path = tmp_path / "profiles.json"
    save_profiles(path, Profiles().with_profile("lab", LAB))
    path.chmod(0o640)
    with pytest.raises(Misconfigured, match="chmod 600"):
        load_profiles(path)


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        "{}",
        '{"default": null, "profiles": []}',
        '{"default": null, "profiles": {"lab": {"url": "u"}}}',
        '{"default": null, "profiles": {"lab": {"url": "u", "token": 1}}}',
    ],
)
def test_damaged_file_is_explained(content: str, tmp_path: Path) -> None:
    """A file that is no file of profiles ends in one line, whatever it has."""
    path = tmp_path / "profiles.json"
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(Misconfigured, match="log in again"):
        load_profiles(path)


def test_deleted_profile_is_not_the_default() -> None:
    """Without the default profile there is no default, unless one profile only is left; the others stay."""
    both = Profiles().with_profile("office", LAB).with_profile("lab", LAB)
    assert both.default == "lab"
    three = both.with_profile("home", LAB)
    assert three.without("home") == Profiles(default=None, by_name={"office": LAB, "lab": LAB})
    assert both.without("lab") == Profiles(default="office", by_name={"office": LAB})
    assert both.without("office") == Profiles(default="lab", by_name={"lab": LAB})


def test_repr_has_no_token() -> None:
    """The repr of profiles shows no token."""
    assert "secret" not in repr(Profiles().with_profile("lab", LAB))
