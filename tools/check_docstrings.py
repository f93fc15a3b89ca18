"""``python -m tools.check_docstrings PACKAGE...``: check that modules, classes, functions and methods have docstrings.

A public method needs none if something else declares it: a base class, a zope interface, or a protocol of these
packages that its class, or a subclass, has. Prints what is missing, and exits with 1 if there is anything.
"""

import importlib
import inspect
import pkgutil
import sys
from collections.abc import Iterable, Iterator
from types import FunctionType, ModuleType
from typing import Any

from zope.interface import implementedBy

NOT_IMPORTABLE = ("benchmarks.peers.",)
"""Modules whose requirements are not installed here."""


def import_modules(package: str) -> Iterator[ModuleType]:
    """Import a package and all modules below it."""
    root = importlib.import_module(package)
    yield root
    for found in pkgutil.walk_packages(root.__path__, f"{package}."):
        if not found.name.startswith(NOT_IMPORTABLE) and not found.name.endswith("__main__"):
            yield importlib.import_module(found.name)


def missing_docstrings(modules: Iterable[ModuleType]) -> Iterator[str]:
    """The qualified names of what lacks a docstring."""
    classes = [value for module in modules for value in _public(module) if inspect.isclass(value)]
    protocols = [cls for cls in classes if getattr(cls, "_is_protocol", False)]
    for module in modules:
        if not module.__doc__:
            yield module.__name__
        for value in _public(module):
            if not vars(value).get("__doc__") and not value.__doc__:
                yield f"{module.__name__}.{value.__name__}"
    for cls in classes:
        declared = {name for each in _with_subclasses(cls) for name in _declared(each, cls, protocols)}
        for name in _undocumented_methods(cls) - declared:
            yield f"{cls.__module__}.{cls.__qualname__}.{name}"


def _public(module: ModuleType) -> list[Any]:
    """The public classes and functions that a module defines."""
    return [
        value
        for name, value in vars(module).items()
        if not name.startswith("_")
        and isinstance(value, type | FunctionType)
        and (value.__module__, value.__name__) == (module.__name__, name)
    ]


def _undocumented_methods(cls: type) -> set[str]:
    """The public methods and properties in a class's own body without a docstring."""
    functions = {name: _function(value) for name, value in vars(cls).items() if not name.startswith("_")}
    return {name for name, function in functions.items() if function is not None and not function.__doc__}


def _function(value: Any) -> FunctionType | None:
    value = value.fget if isinstance(value, property) else inspect.unwrap(getattr(value, "__func__", value))
    return value if isinstance(value, FunctionType) and value.__name__ != "<lambda>" else None


def _with_subclasses(cls: type) -> Iterator[type]:
    yield cls
    subclasses: list[type] = cls.__subclasses__()
    for subclass in subclasses:
        yield from _with_subclasses(subclass)


def _declared(cls: type, base: type, protocols: Iterable[type]) -> Iterator[str]:
    """What the other bases of a class, its interfaces, and the protocols that it has all names of, declare."""
    for other in cls.__mro__[1:]:
        if other is not base:
            yield from vars(other)
    for interface in implementedBy(cls).flattened():
        yield from interface
    for protocol in protocols:
        names = {name for name in vars(protocol) if not name.startswith("_")}
        if protocol is not base and all(hasattr(cls, name) for name in names):
            yield from names


def main(packages: list[str]) -> int:
    """Check these packages; the exit code."""
    missing = sorted(missing_docstrings([module for package in packages for module in import_modules(package)]))
    for name in missing:
        sys.stdout.write(f"{name} has no docstring\n")
    sys.stdout.write(f"docstrings: {len(missing)} are missing\n")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
