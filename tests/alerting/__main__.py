"""``python -m tests.alerting``: run it, and tell by the exit code whether every promise was kept."""

import argparse
import secrets
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.alerting.night import Night
from tests.alerting.planted import BUGS
from tests.alerting.promises import judge
from tests.alerting.report import tell
from tests.alerting.setting import BRIEF, FULL, LEAST_LOST, Setting
from tests.crash.console import perform, say
from tests.crash.setting import free_ports


def read_options(words: list[str]) -> argparse.Namespace:
    """What was said on the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.alerting", description=__doc__)
    parser.add_argument("--devices", type=int, default=2000, help="how many there are, half of each dialect; 2000")
    parser.add_argument("--lost", type=_several, default=300, help="how many fall silent at random; 300")
    parser.add_argument("--site", type=int, default=40, help="how many are behind each address; 40")
    parser.add_argument("--flapping", type=int, default=10, help="how many come and go; 10")
    parser.add_argument("--signed-off", type=int, default=5, help="how many say goodbye; 5")
    parser.add_argument("--muted", type=int, default=5, help="how many fall silent and are muted; 5")
    parser.add_argument("--slack", type=float, default=2.5, help="seconds by which something may be late; 2.5")
    parser.add_argument("--brief", action="store_true", help="shorter times, for a few devices")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="makes the dice; random")
    parser.add_argument("--plant", choices=sorted(BUGS), help="a bug to plant in the server, which must be found")
    parser.add_argument("--keep-dir", action="store_true", help="keep the journal and the database in any case")
    return parser.parse_args(words)


def _several(text: str) -> int:
    number = int(text)
    if number < LEAST_LOST:
        raise argparse.ArgumentTypeError(f"at least {LEAST_LOST} are wanted")
    return number


def make_setting(options: argparse.Namespace) -> Setting:
    """The setting that the options describe, in a directory of its own."""
    devices_port, admin_port, smtp_port = free_ports(3)
    return Setting(
        place=Path(tempfile.mkdtemp(prefix="pushd-vigil-")),
        seed=options.seed,
        pace=BRIEF if options.brief else FULL,
        devices=options.devices,
        lost=options.lost,
        site=options.site,
        flapping=options.flapping,
        signed_off=options.signed_off,
        muted=options.muted,
        slack=options.slack,
        devices_port=devices_port,
        admin_port=admin_port,
        smtp_port=smtp_port,
        plant=options.plant,
    )


async def watch(reactor: Any, setting: Setting, keep: bool) -> None:
    """Run, judge and tell.

    :raises SystemExit: with 1 if a promise was broken.
    """
    night = Night(setting, reactor)
    evidence = await night.run()
    verdict = judge(setting, evidence)
    for line in tell(setting, evidence, verdict, night.seconds):
        say(line)
    if not (keep or verdict.breaches):
        shutil.rmtree(setting.place)
    raise SystemExit(1 if verdict.breaches else 0)


def main(words: list[str]) -> None:
    """The program."""
    options = read_options(words)
    setting = make_setting(options)
    say(f"seed {setting.seed}, in {setting.place}" + (f", with {setting.plant}" if setting.plant else ""))
    perform(lambda reactor: watch(reactor, setting, options.keep_dir))


if __name__ == "__main__":
    main(sys.argv[1:])
