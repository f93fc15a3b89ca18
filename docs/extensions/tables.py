"""Parts of pages that are made from the code, so that they cannot be wrong."""

from collections.abc import Iterator
from importlib import import_module
from inspect import cleandoc
from pkgutil import iter_modules, walk_packages
from textwrap import indent
from typing import ClassVar

from docutils.nodes import Node  # type: ignore[import-untyped]
from docutils.parsers.rst.directives import flag  # type: ignore[import-untyped]
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata
from zope.interface.interface import InterfaceClass, Method

from pushd.client.errors import PROBLEMS
from pushd.config import OPTIONS, Option
from pushd.model.lifecycle import LIFECYCLE, Guard
from pushd.option_values import DIALECTS
from pushd.pushctl.exit_codes import ExitCode


def list_table(*rows: tuple[str, ...]) -> str:
    """A table in reStructuredText; its first row is the heading."""
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for row in rows:
        lines += [f"   {bullet} {cell}" for bullet, cell in zip(("* -", *["  -"] * len(row)), row, strict=False)]
    return "\n".join(lines)


class Lifecycle(SphinxDirective):
    """``.. lifecycle::``, the table of states and moves."""

    def run(self) -> list[Node]:
        """One line for each rule."""
        rules = [(f"``{rule.source}``", rule.move, f"``{rule.target}``", _MEANINGS[rule.guard]) for rule in LIFECYCLE]
        return self.parse_text_to_nodes(list_table(("from", "move", "to", "where"), *rules))


_MEANINGS = {
    Guard.ALWAYS: "",
    Guard.LIVE: "its time to live is not over",
    Guard.UNTRIED: "no attempt was made",
    Guard.TRIED: "at least one attempt was made",
    Guard.REPEATABLE: "``at_least_once``, attempts are left, and its time to live is not over",
    Guard.SPENT: "otherwise",
    Guard.AT_LEAST_ONCE: "``at_least_once``; no further attempt is made",
}


class CatalogueTable(SphinxDirective):
    """``.. catalogue:: dialect``, its endpoints or controls."""

    required_arguments = 1

    def run(self) -> list[Node]:
        """One line for each endpoint."""
        dialect = next(each for each in DIALECTS if each.name == self.arguments[0])
        rows = (
            (f"``{each.name}``", each.kind, f"{each.defaults.ttl:g} s", each.summary)
            for each in dialect.catalogue.endpoints.values()
        )
        return self.parse_text_to_nodes(list_table(("name", "class", "time to live", "what it does"), *rows))


class ExitCodes(SphinxDirective):
    """``.. exit-codes::``, what the exit codes of pushctl mean."""

    def run(self) -> list[Node]:
        """One line for each code."""
        return self.parse_text_to_nodes(
            list_table(("code", "meaning"), *((str(code.value), code.meaning) for code in ExitCode))
        )


class ClientErrors(SphinxDirective):
    """``.. client-errors::``, the classes of the client for each type of problem."""

    def run(self) -> list[Node]:
        """One line for each type."""
        rows = (
            (f"``{error.__name__}``", f":ref:`{kind} <error-{kind}>`", cleandoc(error.__doc__ or "").splitlines()[0])
            for kind, error in PROBLEMS.items()
        )
        return self.parse_text_to_nodes(list_table(("class", "type", "meaning"), *rows))


class ServerOptions(SphinxDirective):
    """``.. server-options::``, the options of ``pushd-server``."""

    def run(self) -> list[Node]:
        """One description for each option."""
        return self.parse_text_to_nodes("\n".join(map(_option, OPTIONS.values())))


def _option(option: Option) -> str:
    facts = [f"Default: ``{option.default}``."] if option.default else []
    facts += ["May be repeated."] if option.repeatable else []
    facts += [f"Environment: ``{option.variable}``."]
    return f".. option:: --{option.name} {option.metavar}\n\n   {option.help}\n\n   {' '.join(facts)}\n"


class Modules(SphinxDirective):
    """``.. modules:: package``, its modules and what they say that they are; each with a link unless it is
    ``:plain:``.
    """

    required_arguments = 1
    option_spec: ClassVar = {"plain": flag}

    def run(self) -> list[Node]:
        """One line for each module."""
        rows = ((self._name(module), _summary(module)) for module in _modules(self.arguments[0]))
        return self.parse_text_to_nodes(list_table(("module", "what it is"), *rows))

    def _name(self, module: str) -> str:
        name = module.removeprefix(f"{self.arguments[0]}.")
        return f"``{name}``" if "plain" in self.options else f":mod:`{name} <{module}>`"


class Api(SphinxDirective):
    """``.. api:: package``, all that its modules say of themselves."""

    required_arguments = 1

    def run(self) -> list[Node]:
        """Each module by autodoc."""
        modules = (f".. automodule:: {name}\n   :members:\n" for name in _modules(self.arguments[0]))
        return self.parse_text_to_nodes("\n".join(modules))


def _modules(package: str) -> list[str]:
    """The public modules of a package and of those in it; of ``pushd`` itself only the ones at the top."""
    walk = iter_modules if package == "pushd" else walk_packages
    found = walk(import_module(package).__path__, f"{package}.")
    return [module.name for module in found if not module.ispkg and not module.name.rpartition(".")[2].startswith("_")]


def _summary(module: str) -> str:
    """The first sentence of a module, in one line."""
    paragraph = cleandoc(import_module(module).__doc__ or "").partition("\n\n")[0]
    return " ".join(paragraph.split())


class Interface(SphinxDirective):
    """``.. interface:: package.module.IName``, a zope interface and its methods, which autodoc does not know."""

    required_arguments = 1

    def run(self) -> list[Node]:
        """The interface as a class."""
        module, _, name = self.arguments[0].rpartition(".")
        return self.parse_text_to_nodes("\n".join(_described(module, getattr(import_module(module), name))))


def _described(module: str, interface: InterfaceClass) -> Iterator[str]:
    yield f".. py:class:: {interface.getName()}\n   :module: {module}"
    yield indent("\n" + cleandoc(interface.getDoc()) + "\n", "   ")
    for name, method in interface.namesAndDescriptions():
        assert isinstance(method, Method)
        yield f"   .. py:method:: {name}{method.getSignatureString()}"
        yield indent("\n" + cleandoc(method.getDoc()) + "\n", "      ")


def setup(app: Sphinx) -> ExtensionMetadata:
    """Tell Sphinx of the directives."""
    app.add_directive("lifecycle", Lifecycle)
    app.add_directive("catalogue", CatalogueTable)
    app.add_directive("exit-codes", ExitCodes)
    app.add_directive("client-errors", ClientErrors)
    app.add_directive("server-options", ServerOptions)
    app.add_directive("modules", Modules)
    app.add_directive("api", Api)
    app.add_directive("interface", Interface)
    return {"parallel_read_safe": True}
