"""``pushctl audit``: who changed what."""

from collections import deque
from collections.abc import Iterator, Mapping

import click

from pushd.model.admin_api import MAX_PAGE
from pushd.pushctl.api import AdminClient
from pushd.pushctl.connection import Json, Query
from pushd.pushctl.lists import ListColumn, print_list, time_of
from pushd.pushctl.options import json_option, query_of, verbatim
from pushd.pushctl.output import compact, field_text, time_text
from pushd.pushctl.session import with_client
from pushd.pushctl.terminal import Fit

_COLUMNS = (
    ListColumn("at", 4, show=time_of("at")),
    ListColumn("by", 2, Fit.WRAP),
    ListColumn("from", 5),
    ListColumn("action", 1),
    ListColumn("object", 3, Fit.WRAP),
    ListColumn("id", 7),
    ListColumn("change", 6, Fit.WRAP, lambda entry: change_text(entry)),
)


@click.command(
    epilog=verbatim(
        "Example, who changed a device lately:\n  pushctl audit --object device:controlid:4408801109440198 --last 20",
        "Example, all that was changed since an entry that was seen before:\n"
        "  pushctl audit --after 5f0c8a41e7d2-4711 --json",
    )
)
@click.option("--by", metavar="NAME", help="Only what the token or person of this name changed.")
@click.option("--object", metavar="NOUN:ID", help="Only changes of this object, as device:controlid:7 or webhook:ID.")
@click.option("--after", metavar="ID", help="Only what came after this entry.")
@click.option(
    "--last", metavar="N", type=click.IntRange(1), default=50, show_default=True, help="The newest N entries."
)
@json_option("Print one JSON array instead of a table.")
@with_client
async def audit(client: AdminClient, /, *, after: str | None, last: int, as_json: bool, **filters: str | None) -> None:
    """Show who changed what, oldest first.

    BY is the name of the token, FROM the address of the client. Commands that were sent are not among it: "pushctl
    show" says by whom. Secrets are never shown.
    """
    found = await _newest(client, query_of(filters), after, last)
    print_list(found, _COLUMNS, as_json=as_json, empty="No entries.", narrow=_pieces)


def _pieces(entry: Json) -> Iterator[str]:
    """An entry for a narrow terminal."""
    yield time_text(entry.get("at"))
    yield from (field_text(entry.get(name)) for name in ("action", "object"))
    yield change_text(entry)
    yield f"by {field_text(entry.get('by'))} from {field_text(entry.get('from'))}"
    yield field_text(entry.get("id"))


async def _newest(client: AdminClient, query: Query, after: str | None, last: int) -> list[Json]:
    """The newest entries; the server gives them oldest first, and what is not shown is not kept."""
    newest: deque[Json] = deque(maxlen=last)
    while True:
        position = [] if after is None else [("after", after)]
        page = await client.page("audit", query=[*query, ("limit", str(MAX_PAGE)), *position])
        newest.extend(page.items)
        after = page.next
        if len(page.items) < MAX_PAGE:
            return list(newest)


def change_text(entry: Json) -> str:
    """What an entry says was changed: each field with its values before and after."""
    before, after = _fields(entry.get("before")), _fields(entry.get("after"))
    changes = [
        f"{name} {_value(before, name)} -> {_value(after, name)}"
        if name in before and name in after
        else f"{name} {_value(after if name in after else before, name)}"
        for name in dict.fromkeys([*before, *after])
    ]
    return field_text(", ".join(changes))


def _fields(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _value(fields: Mapping[str, object], name: str) -> str:
    value = fields[name]
    return value if isinstance(value, str) and value else compact(value)
