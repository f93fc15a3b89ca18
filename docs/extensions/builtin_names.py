"""The names of builtins in annotations, such as ``type``, are no references to our fields of the same name."""

import builtins
from typing import Any

from sphinx.application import Sphinx
from sphinx.domains.python import ObjectEntry, PythonDomain
from sphinx.environment import BuildEnvironment


class Domain(PythonDomain):
    """Sphinx's own, which takes a bare name for any object whose last part is equal."""

    def find_obj(
        self, env: BuildEnvironment, modname: str, classname: str, name: str, *rest: Any
    ) -> list[tuple[str, ObjectEntry]]:
        """The objects that a name may mean."""
        return [] if name in vars(builtins) else super().find_obj(env, modname, classname, name, *rest)


def setup(app: Sphinx) -> dict[str, bool]:
    """Replace the domain."""
    app.add_domain(Domain, override=True)
    return {"parallel_read_safe": True}
