"""A self-hosted command-push server for devices that phone home.

The rooms, from the top of the house to the bottom: :mod:`pushd.tap`, :mod:`pushd.service` and :mod:`pushd.wiring`
(options, start and stop, assembly), :mod:`pushd.dialects` and :mod:`pushd.admin` (the doors), :mod:`pushd.http` (HTTP
manners), :mod:`pushd.core` (the verbs), :mod:`pushd.store` (what is durable), :mod:`pushd.model` (the nouns).
"""

from pushd._version import __version__ as _version

__version__ = _version.public()
