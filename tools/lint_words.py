"""``python -m tools.lint_words``: finds words in names, docs and messages that have a standard term.

Prints one line for each finding, with the term to use; exits 1 if there is any. It reads the files that git tracks.
A word counts wherever it stands: in prose, and as a part of a name such as ``HouseRequest`` or ``on_told``.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from attrs import field, frozen

ROOT = Path(__file__).parents[1]

PHYSICAL = (
    r"^(README|docs/|newsfragments/|pushd/model/opening|pushd/admin/(request_bodies|openapi_examples)|benchmarks/|tests/"
    r"|pushd/(client|dashboard|demo|dialects|pushctl|simulator|testing)/)"
)
"""Where doors, gates and turnstiles are what devices open."""

CONTROL_ID = r"controlid|control_id|payload|pushctl|demo|tests/|docs/|benchmarks/|simulator"
"""Where ``verb`` is a field of Control iD."""


FORMER = r"(is|are) now |^(torture|vigil|rooms):$|^    torture vigil rooms$"
"""Where a former name of an option, an API value or a make target is named beside the present one."""


def _pattern(text: str | None) -> re.Pattern[str] | None:
    return None if text is None else re.compile(text)


@frozen
class Rule:
    """A word, as a pattern; the term to use; where the word may stand: in which files, in which text."""

    word: str
    term: str
    files: re.Pattern[str] | None = field(default=None, converter=_pattern)
    text: re.Pattern[str] | None = field(default=None, converter=_pattern)

    def search(self, words: str) -> re.Match[str] | None:
        """The word among others, in lower case."""
        return re.search(rf"(?<![a-z])(?:{self.word})(?![a-z])", words)


RULES = (
    Rule("houses?", "project, server"),
    Rule("rooms?", "package, layer, capacity", text=FORMER),
    Rule(
        "doors?",
        "mounted app, endpoint",
        files=PHYSICAL,
        text=r"(open|opens|opened) (a|the) door|open_door|door reader|[\"`]door[\"`]",
    ),
    Rule("couriers?", "webhook worker"),
    Rule(
        "bearers?",
        "delivery",
        text=r"Bearer |bearer tokens?|bearer scheme|scheme.lower\(\) == .bearer.|\"scheme\": .bearer.",
    ),
    Rule("parcels?", "event in flight"),
    Rule("bells?", "waiter, notification", text=r"bell\\x07"),
    Rule("audiences?", "subscribers, broadcaster", text=r"Intended Audience ::"),
    Rule("receptions?", "device service"),
    Rule("moods?", "outage", text=r"--mood|\"mood\": \"outage\""),
    Rule("vigils?", "alerting test", text=FORMER),
    Rule("tortures?", "crash test", text=FORMER),
    Rule("postm[ae]n", "mail notifier"),
    Rule("turnstiles?", "accept throttle", files=PHYSICAL, text=r"readers and turnstiles"),
    Rule("told", "notified, informed; or name the subject"),
    Rule("whoever", "name the subject: the client, the operator"),
    Rule("somebody|nobody", "name the subject: an operator, no client"),
    Rule("strangers?", "unknown device, unauthenticated client"),
    Rule("visitors?", "client"),
    Rule("deaf", "not connected, offline between polls", text=FORMER),
    Rule("(is|are) wanted", "must be ..."),
    Rule("verbs?", "operation, transaction, HTTP method", files=CONTROL_ID),
)

SKIPPED = re.compile(r"(^|/)(lint_words\.py|LICENSE)$|\.(png|svg|ico)$")
"""This list, texts of others, and what is no text."""


def split_names(line: str) -> str:
    """A line in lower case, in which the parts of camel-case and snake-case names are words of their own."""
    return re.sub(r"_|(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", line).lower()


def findings(name: str, text: str) -> Iterator[str]:
    """The findings in one file, as ``path:line: word: term to use``."""
    rules = [rule for rule in RULES if rule.files is None or not rule.files.search(name)]
    for number, line in enumerate(text.splitlines(), start=1):
        words = split_names(line)
        for rule in rules:
            found = rule.search(words)
            if found is not None and not (rule.text is not None and rule.text.search(line)):
                yield f"{name}:{number}: {found[0]!r}: say {rule.term}: {line.strip()[:100]}"
    for rule in rules:
        if rule.search(split_names(Path(name).stem)):
            yield f"{name}: the file's name: say {rule.term}"


def tracked() -> Iterator[str]:
    """The paths of all files that git tracks."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    yield from (name for name in listed.stdout.splitlines() if not SKIPPED.search(name))


def main() -> int:
    """Look through all files; the exit code."""
    found = [
        each
        for name in tracked()
        if (ROOT / name).exists()
        for each in findings(name, (ROOT / name).read_text("utf-8"))
    ]
    for each in found:
        print(each)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
