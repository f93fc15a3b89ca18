"""How Sphinx builds these pages; the version is the package's own."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE / "extensions")]

from pushd import __version__  # noqa: E402 - the package beside us, installed or not

project = "pushd"
author = "the authors of pushd"
copyright = author  # noqa: A001 - Sphinx's name
version = release = __version__

extensions = ["sphinx.ext.autodoc", "builtin_names", "openapi", "tables"]
exclude_patterns = ["_build", "examples"]
html_theme = "furo"
html_title = f"pushd {version}"
html_show_copyright = False
highlight_language = "none"

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"

# a name of ours that a page or a docstring gives in full must be there
nitpicky = True
nitpick_ignore_regex = [("py:.*", r"(?!pushd\.).*"), ("py:(obj|class)", r"pushd\..*\.[A-Z]")]
