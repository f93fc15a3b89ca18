"""The address of the device port, as a device is configured with it."""

from hyperlink import DecodedURL

from pushd.pushctl.api import AdminClient
from pushd.pushctl.server_address import read_url


def read_device_url(text: str) -> DecodedURL:
    """The address of a device port as a device has it: a URL, or ``host:port``.

    :raises Misconfigured: if it is neither.
    """
    return read_url(text if "://" in text else f"http://{text}")


async def find_device_url(client: AdminClient, given: str | None) -> DecodedURL | None:
    """The URL that was given, or else the one that the server has as an option.

    :raises Misconfigured: if it is none.
    """
    if given is None:
        given = ((await client.info()).get("options") or {}).get("device-url")
    return None if given is None else read_device_url(str(given))


def secret_address(url: DecodedURL, path: object) -> str:
    """The address of a device with a secret path."""
    return f"{url.to_text().rstrip('/')}{path}"
