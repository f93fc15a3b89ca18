"""``python -m pushd.after_restore URL [--requeue]``: ends what was open in a restored database on PostgreSQL.

Prints a JSON object with the number of commands that are ``unknown`` now. Exits with 0 if another history has begun, 1
if not, and 2 if the arguments are wrong.
"""

import json
import sys
from collections.abc import Sequence
from secrets import token_hex

from pushd.core.app import EPOCH_BYTES
from pushd.data_dir import psycopg_required
from pushd.model.errors import PushdError
from pushd.option_values import POSTGRES_SCHEMES
from pushd.store.filters import StartOptions

USAGE = "usage: python -m pushd.after_restore postgresql://... [--requeue]\n"


def after_restore(url: str, *, requeue: bool = False) -> int:
    """Begin another history; how many commands are ``unknown`` now.

    :raises PushdError: if that is not possible.
    """
    with psycopg_required():
        from pushd.store.postgres.restore import restore
    return restore(url, StartOptions(epoch=token_hex(EPOCH_BYTES), restored=True, requeue=requeue))


def main(arguments: Sequence[str]) -> int:
    """Begin another history; returns the exit code."""
    urls = [argument for argument in arguments if argument != "--requeue"]
    if len(urls) != 1 or not urls[0].startswith(POSTGRES_SCHEMES):
        sys.stderr.write(USAGE)
        return 2
    try:
        unknown = after_restore(urls[0], requeue="--requeue" in arguments)
    except PushdError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(json.dumps({"unknown": unknown}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
