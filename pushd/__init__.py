"""A self-hosted command-push server for devices that phone home.

From the top layer to the bottom: :mod:`pushd.tap`, :mod:`pushd.service` and :mod:`pushd.wiring` (options, start and
stop, building the objects), :mod:`pushd.dialects`, :mod:`pushd.admin` and :mod:`pushd.notifications` (device
protocols, the admin API, webhooks and mails), :mod:`pushd.http` (the HTTP layer), :mod:`pushd.core` (what the server
does), :mod:`pushd.store` (what is durable), :mod:`pushd.rules` (what becomes of commands), :mod:`pushd.model` (values)
and :mod:`pushd.lib` (helpers without a domain).
"""

from pushd._version import __version__ as _version

__version__ = _version.public()
