"""Writes the examples of the OpenAPI document: ``python -m tests.api_examples``."""

from tests.api_examples.examples import FILE, record, written

FILE.write_text(written(record()), "utf-8")
print(f"{FILE} is written")  # noqa: T201
