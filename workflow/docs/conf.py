"""How Sphinx builds these pages: `make docs`."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "_sphinx"), str(HERE.parents[1])]

from ptnl import __version__  # noqa: E402 (from this checkout)

project = "ptnl"
author = "The ptnl authors"
copyright = author
version = release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "external_links",
    "mathml",
    "reference_pages",
    "repository_files",
]
exclude_patterns = ["own_question.ipynb"]

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 4
suppress_warnings = ["myst.header"]  # generated tables of options start at the level they need

default_role = "code"  # `name` in a docstring
autodoc_member_order = "bysource"
autodoc_typehints = "signature"

html_theme = "pydata_sphinx_theme"
html_title = f"ptnl {__version__}"
templates_path = ["_templates"]
html_sidebars = {"**": ["all-pages.html"]}
html_static_path = ["_static"]
html_css_files = ["ptnl.css"]
html_copy_source = False
html_show_sourcelink = False
html_math_renderer = "mathml"
html_theme_options = {
    "show_prev_next": True,
    "navigation_with_keys": False,
    "navbar_center": [],
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}

# `make check-links`: a server that does not answer is said to be so, and holds nothing up for long.
linkcheck_timeout = 15
linkcheck_retries = 2
linkcheck_report_timeouts_as_broken = False
