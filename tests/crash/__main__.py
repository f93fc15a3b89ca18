"""``python -m tests.crash``: run it, and tell by the exit code whether every promise was kept."""

import argparse
import secrets
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.crash.campaign import Campaign
from tests.crash.console import perform, say
from tests.crash.evidence import open_dossier
from tests.crash.planted import BUGS
from tests.crash.promises import judge
from tests.crash.report import tell
from tests.crash.setting import Setting, free_ports


def read_options(words: list[str]) -> argparse.Namespace:
    """What was said on the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--seconds", type=float, default=110, help="how long it takes, more or less; 110")
    parser.add_argument("--kills", type=_some, default=50, help="how often the server is killed, if there is time; 50")
    parser.add_argument("--devices", type=_several, default=50, help="how many devices, half of each dialect; 50")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="makes the dice; random")
    parser.add_argument("--plant", choices=sorted(BUGS), help="a bug to plant in the server, which must be found")
    parser.add_argument("--keep-dir", action="store_true", help="keep the journals and the database in any case")
    return parser.parse_args(words)


def _some(text: str, least: int = 1) -> int:
    number = int(text)
    if number < least:
        raise argparse.ArgumentTypeError(f"at least {least} is wanted")
    return number


def _several(text: str) -> int:
    return _some(text, least=2)  # one of each dialect


def make_setting(options: argparse.Namespace) -> Setting:
    """The setting that the options describe, in a directory of its own."""
    devices_port, admin_port = free_ports(2)
    return Setting(
        place=Path(tempfile.mkdtemp(prefix="pushd-torture-")),
        seed=options.seed,
        seconds=options.seconds,
        kills=options.kills,
        devices=options.devices,
        devices_port=devices_port,
        admin_port=admin_port,
        plant=options.plant,
    )


async def torture(reactor: Any, setting: Setting, keep: bool) -> None:
    """Run, judge and tell.

    :raises SystemExit: with 1 if a promise was broken.
    """
    record = await Campaign(setting, reactor).run()
    dossier = open_dossier(record.evidence)
    breaches = judge(dossier)
    for line in tell(setting, record, dossier, breaches):
        say(line)
    if not (keep or breaches):
        shutil.rmtree(setting.place)
    raise SystemExit(1 if breaches else 0)


def main(words: list[str]) -> None:
    """The program."""
    options = read_options(words)
    setting = make_setting(options)
    say(f"seed {setting.seed}, in {setting.place}" + (f", with {setting.plant}" if setting.plant else ""))
    perform(lambda reactor: torture(reactor, setting, options.keep_dir))


if __name__ == "__main__":
    main(sys.argv[1:])
