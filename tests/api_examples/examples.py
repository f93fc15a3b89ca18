"""The examples, as they stand in the OpenAPI document: what is another each time is the same here."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock

import pushd.admin
from pushd.config import Config
from pushd.core.devices.admission import AdmissionMode
from tests.api_examples.probes import cannot_sync, is_full, probes
from tests.api_examples.recorder import Recorder, kinds_of, operations
from tests.api_examples.story import READER, tell
from tests.in_memory_server import START, InMemoryServer
from tests.store.clock import new_store

FILE = Path(pushd.admin.__path__[0]) / "openapi_examples.json"

ERRORS = "400"
"""The least status code of an error."""

EPOCH = "5f0c8a41e7d2"
_ID = re.compile(r"([0-9a-f]{8}-[0-9a-f]{4}-7)[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
_VARYING = (
    (re.compile(r"(?<![0-9a-f-])(?!0123456789ab)[0-9a-f]{12}(?=-[0-9]+)"), EPOCH),
    (re.compile(r"whsec_[\w+/=]+"), f"whsec_{'A' * 43}="),
    (re.compile(r"pushd_\w{39}"), f"pushd_{'x' * 39}"),
    (re.compile(r"(?<![\w-])[\w-]{32}(?![\w-])"), "x" * 32),
    (re.compile(r'(?<="csrf": )"[^"]*"'), f'"{"x" * 43}"'),
    (re.compile(r'(?<="next": )"[\w-]{40,}=*"'), f'"{"x" * 48}"'),
    (re.compile(r'(?<="node": )"[^"]*"'), '"pushd-1"'),
    (re.compile(r'(?<="version": )"[^"]*"'), '"26.11.0"'),
    (re.compile(r'(?<="schema": )[0-9]+'), "1"),
)
"""What is another each time, on each machine or in each version, and what stands for it."""

ANYWHERE = ("outcome-in-doubt", "unavailable")
"""Types of errors of which one example serves all operations: some meet them only when the server stops."""

Answers = Mapping[str, Any]
"""By operation and status code: a body, or problems by their type."""


def record() -> Answers:
    """What a server answers."""
    clock = Clock()
    clock.advance(1_000_000)
    server, failing, in_doubt = (_server(clock) for _ in range(3))
    recorder = Recorder(server)
    known = tell(recorder)
    for probe in probes(recorder, known):
        probe.all_kinds()
    for other, fail in ((failing, is_full), (in_doubt, cannot_sync)):
        recorder.server = _prepared(other, fail)
        for probe in probes(recorder, known):
            if other is failing or probe.method != "GET":  # only in memory do reads commit, too
                probe.without_store()
    for each in (server, failing, in_doubt):
        each.close()
    answers: Answers = json.loads(_settled(json.dumps(recorder.answers)))
    return answers


def written(answers: Answers) -> str:
    """The text of the file: by operation, what it answers, and problems that several operations have only once."""
    counts: dict[str, Counter[str]] = {}
    for _, _, kind, problem in _problems(answers):
        counts.setdefault(kind, Counter())[json.dumps(problem)] += 1
    often = {kind: count.most_common(1)[0] for kind, count in counts.items()}
    shared = {kind: json.loads(text) for kind, (text, count) in often.items() if count > 1 or kind in ANYWHERE}
    own: dict[str, dict[str, Any]] = {
        name: {code: body for code, body in codes.items() if code < ERRORS} for name, codes in answers.items()
    }
    for name, code, kind, problem in _problems(answers):
        if shared.get(kind) != problem:
            own[name].setdefault(code, {})[kind] = problem
    examples = {"operations": {name: codes for name, codes in own.items() if codes}, "shared": shared}
    return json.dumps(examples, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def missing(document: Mapping[str, Any], answers: Answers) -> Iterator[str]:
    """What a document says that operations answer, and what none was seen to answer."""
    for method, path, operation in operations(document):
        own = answers.get(operation["operationId"], {})
        for code, response in operation["responses"].items():
            if "application/json" in response.get("content", {}) and path != "/openapi.json" and code not in own:
                yield f"{method} {path}: {code}"
        for code, kind in kinds_of(operation):
            if kind not in ANYWHERE and kind not in own.get(code, {}):
                yield f"{method} {path}: {code} {kind}"


def _server(clock: Clock) -> InMemoryServer:
    config = Config(admission=AdmissionMode.OPEN, alert_window=0.0)
    return InMemoryServer(clock, config, new_store(), START - clock.seconds())


def _prepared(server: InMemoryServer, fail: Callable[[InMemoryServer], object]) -> InMemoryServer:
    server.register(READER, facts={"model": "iDAccess"})
    fail(server)
    return server


def _settled(text: str) -> str:
    """The text of examples, with the same in place of what is another each time."""
    ids: dict[str, str] = {}

    def numbered(found: re.Match[str]) -> str:
        return ids.setdefault(found[0], f"{found[1]}000-8000-{len(ids):012d}")

    text = _ID.sub(numbered, text)
    for varying, instead in _VARYING:
        text = varying.sub(instead, text)
    return text


def _problems(answers: Answers) -> Iterator[tuple[str, str, str, Any]]:
    for name, codes in answers.items():
        for code, kinds in codes.items():
            if code >= ERRORS:
                yield from ((name, code, kind, problem) for kind, problem in kinds.items())
