"""The documentation as these tests see it: pages, and the examples that they include."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
EXAMPLES = DOCS / "examples"

_BASH_BLOCK = re.compile(r"^\.\. code-block:: bash\n\n((?:    .*\n|\n)+)", re.MULTILINE)


def page(name: str) -> str:
    """The source of a page."""
    return (DOCS / f"{name}.rst").read_text("utf-8")


def example(name: str) -> str:
    """The text of an example."""
    return (EXAMPLES / name).read_text("utf-8")


def bash_blocks(text: str) -> list[str]:
    """The blocks of shell code that a page holds itself."""
    return [re.sub(r"^    ", "", block, flags=re.MULTILINE).strip() for block in _BASH_BLOCK.findall(text)]


def options(text: str) -> set[str]:
    """The options that a page describes."""
    return set(re.findall(r"^\.\. option:: --([a-z-]+)", text, re.MULTILINE))
