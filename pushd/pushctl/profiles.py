"""Profiles: the servers that ``pushctl login`` has saved, with a token for each."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from attrs import evolve, field, frozen

from pushd.pushctl import private_files
from pushd.pushctl.errors import Misconfigured

DEFAULT_PROFILE = "default"
"""The name of a profile that was saved without one."""


def profiles_path() -> Path:
    """The file of the profiles: ``~/.config/pushctl/profiles.json``, or below ``XDG_CONFIG_HOME``."""
    return Path(click.get_app_dir("pushctl")) / "profiles.json"


@frozen(kw_only=True)
class Profile:
    """A server and a token for it; ``repr`` does not show the token."""

    url: str
    token: str = field(repr=False)


@frozen(kw_only=True)
class Profiles:
    """All profiles by their names, and the name of the one that is used unless another is selected."""

    default: str | None = None
    by_name: Mapping[str, Profile] = field(factory=dict)

    def url_of(self, name: str) -> str | None:
        """The URL of a profile, if there is such a profile."""
        return self.by_name[name].url if name in self.by_name else None

    def find(self, url: str) -> str | None:
        """The name of a profile of this server, if there is one: the default one if it is."""
        names = sorted(self.by_name, key=lambda name: name != self.default)
        return next((name for name in names if _same(self.by_name[name].url, url)), None)

    def get(self, name: str) -> Profile:
        """:raises Misconfigured: if there is no such profile."""
        if name not in self.by_name:
            known = ", ".join(sorted(self.by_name))
            others = f"there are: {known}" if known else '"pushctl login" makes one'
            raise Misconfigured(f"there is no profile {name!r}; {others}")
        return self.by_name[name]

    def with_profile(self, name: str, profile: Profile) -> "Profiles":
        """With one more profile; the latest login is the default."""
        return Profiles(default=name, by_name={**self.by_name, name: profile})

    def with_default(self, name: str) -> "Profiles":
        """With another default.

        :raises Misconfigured: if there is no such profile.
        """
        self.get(name)
        return evolve(self, default=name)

    def without(self, name: str) -> "Profiles":
        """Without a profile. If it was the default, that is now the only one that is left, or else none.

        :raises Misconfigured: if there is no such profile.
        """
        self.get(name)
        rest = {key: profile for key, profile in self.by_name.items() if key != name}
        only = next(iter(rest)) if len(rest) == 1 else None
        return evolve(self, default=only if self.default == name else self.default, by_name=rest)


def load_profiles(path: Path) -> Profiles:
    """The saved profiles; none if there is no file.

    :raises Misconfigured: if the file cannot be read, or other users can read it.
    """
    try:
        text = path.read_text(encoding="utf-8")
        mode = path.stat().st_mode
    except FileNotFoundError:
        return Profiles()
    except (OSError, ValueError) as error:
        raise Misconfigured(f"cannot read {path}: {error}") from None
    if mode & 0o077:
        raise Misconfigured(f"other users can access the tokens in {path}; to use them: chmod 600 {path}")
    try:
        return _parse(json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise Misconfigured(f"{path} is not a file of profiles; delete it, and log in again") from None


def save_profiles(path: Path, profiles: Profiles) -> None:
    """Replace the file.

    :raises Misconfigured: if it cannot be written.
    """
    by_name = {name: {"url": each.url, "token": each.token} for name, each in profiles.by_name.items()}
    content = {"default": profiles.default, "profiles": by_name}
    private_files.replace(path, json.dumps(content, indent=2) + "\n")


def _parse(content: Any) -> Profiles:
    profiles = {name: Profile(url=each["url"], token=each["token"]) for name, each in content["profiles"].items()}
    if not all(isinstance(text, str) for each in profiles.values() for text in (each.url, each.token)):
        raise TypeError
    default = content["default"]
    return Profiles(default=default if default in profiles else None, by_name=profiles)


def _same(one: str, other: str) -> bool:
    return one.rstrip("/") == other.rstrip("/")
