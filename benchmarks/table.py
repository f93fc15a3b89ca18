"""The table of results: metric, servers, figures, ratios to pushd, targets, and whether these are reached."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest

from benchmarks.results import Results
from benchmarks.server_names import PUSHD, TRIVIAL
from benchmarks.targets import is_reached, targets_of

HEADER = ("metric", "server", "figure", "pushd is", "target", "reached")
_REACHED = {True: "yes", False: "NO", None: "?"}

MIN_GENERATOR_RATIO = 3
"""How many times the figure of pushd the generator must reach with the trivial server, not to be the limit itself."""

Row = tuple[str, ...]


def rows(results: Results) -> Iterator[Row]:
    """The rows of the table: pushd first, then the other servers; each target has a row of its own."""
    for name in results.metrics:
        columns = zip_longest(_figures(results, name), _targets(results, name), fillvalue=("", "", ""))
        for number, (figure, target) in enumerate(columns):
            yield ("" if number else name, *figure, *target[:2])


def _figures(results: Results, metric: str) -> Iterator[Row]:
    own = results.figure(metric, PUSHD)
    for server in sorted(results.servers(metric), key=lambda server: server != PUSHD):
        figure = results.figure(metric, server)
        assert figure is not None, "each of these servers has a figure"
        ratio = "" if server == PUSHD or own is None or not figure else f"{own / figure:.2f} x"
        yield server, f"{format_number(figure)} {results.metrics[metric].unit}", ratio


def _targets(results: Results, metric: str) -> Iterator[Row]:
    for target in targets_of(results, metric):
        yield target.text, _REACHED[is_reached(results, metric, target)]


def format_number(value: float) -> str:
    """A number with three significant digits."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def text_table(results: Results, machine: Mapping[str, str], missing: Mapping[str, str]) -> str:
    """The table and all notes for a terminal."""
    lines = [HEADER, *rows(results)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADER))]
    table = [_align(line, widths) for line in lines]
    table.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join([*_machine(machine), "", *table, "", *_notes(results, missing)])


def rst_table(results: Results, machine: Mapping[str, str], missing: Mapping[str, str]) -> str:
    """The table and all notes for a page of the documentation."""
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for row in (HEADER, *rows(results)):
        lines += [f"   {'* -' if column == 0 else '  -'} {cell}".rstrip() for column, cell in enumerate(row)]
    notes = [f"* {line}" for line in (*_machine(machine), *_notes(results, missing)) if line]
    return "\n".join([*lines, "", *notes])


def _align(line: Row, widths: Sequence[int]) -> str:
    cells = [
        cell.rjust(width) if HEADER[column] in ("figure", "pushd is") else cell.ljust(width)
        for column, (cell, width) in enumerate(zip(line, widths, strict=True))
    ]
    return "  ".join(cells).rstrip()


def _machine(machine: Mapping[str, str]) -> Sequence[str]:
    return [f"{name}: {value}" for name, value in machine.items()]


def _notes(results: Results, missing: Mapping[str, str]) -> Sequence[str]:
    return [
        *(f"missing: {name}; it needs {requirement}" for name, requirement in missing.items()),
        *(f"failed: {server} in {part}: {reason}" for (part, server), reason in results.failures.items()),
        *results.notes,
        *_generator_limits(results),
        *_missed_targets(results),
    ]


def _missed_targets(results: Results) -> Iterator[str]:
    outcomes = (is_reached(results, name, target) for name in results.metrics for target in targets_of(results, name))
    if any(outcome is False for outcome in outcomes):
        yield "docs/performance.rst says why targets are missed, and what was tried"


def _generator_limits(results: Results) -> Iterator[str]:
    for name, metric in results.metrics.items():
        own, most = results.figure(name, PUSHD), results.figure(name, TRIVIAL)
        if metric.more and own and most and most < own * MIN_GENERATOR_RATIO:
            yield f"{name}: the generator reaches only {most / own:.1f} times this, and may be the limit"
