"""Tests of the options as operators may see them."""

import json

import pytest

from pushd.config import OPTIONS, read_config
from pushd.config_view import shown_endpoints, shown_options


def test_defaults_are_json() -> None:
    """Every option is there, as JSON, in the form in which it is given."""
    shown = shown_options(read_config({}, {}))
    assert json.loads(json.dumps(shown)) == shown
    assert shown.keys() == OPTIONS.keys()
    assert shown["admission"] == "approve"
    assert shown["devices"] == ["tcp:8080"]
    assert (shown["smtp"], shown["flapping"]) == ("localhost:25", "5/600")
    assert (shown["keep"], shown["require-proof"], shown["store"]) == (30, False, None)


def test_given_values() -> None:
    """Networks, paths and tables are shown as they are given."""
    given = {"webhook-allow": ["10.0.0.0/8"], "hold": ["servereye=40"], "base": ["/controlid"], "data-dir": "/srv"}
    shown = shown_options(read_config(given, {}))
    assert (shown["webhook-allow"], shown["hold"]) == (["10.0.0.0/8"], {"servereye": 40})
    assert (shown["base"], shown["data-dir"]) == (["/controlid"], "/srv")


def test_secrets_are_masked() -> None:
    """No password, no query, no path of a secret URL and no file of a secret is shown."""
    given = {
        "heartbeat-url": "https://user:hush@monitor.example/ping/hush?key=hush",
        "devices": ["tcp:80", "ssl:443:privateKey=/etc/hush.pem:certKey=/etc/cert.pem"],
        "mail-to": ["ops@example.org"],
        "mail-from": "pushd@example.org",
        "smtp-user": "pushd",
        "smtp-password-file": "/etc/hush",
    }
    shown = shown_options(read_config(given, {}))
    assert "hush" not in json.dumps(shown)
    assert shown["heartbeat-url"] == "https://monitor.example/***"
    assert shown["devices"] == ["tcp:80", "ssl:443:privateKey=***:certKey=/etc/cert.pem"]
    assert shown["smtp-password-file"] == "***"
    assert shown["mail-to"] == ["ops@example.org"]


@pytest.mark.parametrize(
    ("endpoint", "shown"),
    [
        ("tcp:8081:interface=127.0.0.1", "tcp:8081:interface=127.0.0.1"),
        (r"ssl:443:/etc/a\:b.pem:/etc/cert.pem", "ssl:443:***:/etc/cert.pem"),
        (r"ssl:443:privateKey=/etc/a\:b.pem", "ssl:443:privateKey=***"),
        ("ssl:443:certKey=/etc/cert.pem:privateKey=/etc/a.pem", "ssl:443:certKey=/etc/cert.pem:privateKey=***"),
        ("haproxy:ssl:443:/etc/a.pem", "haproxy:ssl:443:***"),
        ("unix:/run/pushd.sock", "unix:/run/pushd.sock"),
    ],
)
def test_private_keys_of_endpoints(endpoint: str, shown: str) -> None:
    """The file of a private key is masked, by whichever way of writing it is given."""
    assert shown_endpoints((endpoint,)) == (shown,)


def test_urls() -> None:
    """A URL loses its user, password and query."""
    config = read_config({"store": "sqlite:///db"}, {})
    assert shown_endpoints(("postgresql://me:hush@db.example/pushd?sslkey=hush",)) == (
        "postgresql://***@db.example/pushd?***",
    )
    assert shown_options(config)["store"] == "db"
