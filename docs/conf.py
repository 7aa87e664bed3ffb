"""How Sphinx makes the site: see "Documentation" in HACKING.md."""

from __future__ import annotations

import mlarray

project = "mlarray"
author = "mlarray developers"
version = release = mlarray.__version__
project_copyright = "mlarray developers, MIT licence"

extensions = [
    "breathe",
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
]
suppress_warnings = [
    "config.cache",
    "duplicate_declaration.cpp",  # the namespace, once for every header
    "ref.python",  # `path` in a docstring is its parameter, not one of several attributes
]

# Markdown: links to headings of other pages are checked.
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence"]

# Python: docstrings are numpydoc's, types are in the text.
napoleon_google_docstring = False
napoleon_use_rtype = False
autodoc_typehints = "none"
autodoc_mock_imports = ["monai", "torch", "torchio"]
autodoc_member_order = "bysource"
autodoc_class_signature = "mixed"
default_role = "py:obj"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True

# C++: tools/docs.sh lets doxygen write this folder.
breathe_projects = {"mlarray": "../build/doxygen/xml"}
breathe_default_project = "mlarray"
breathe_show_include = False
cpp_maximum_signature_line_length = 96
primary_domain = "py"

html_theme = "furo"
html_title = f"mlarray {release}"
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
html_static_path = ["static"]
html_css_files = ["site.css"]
pygments_style = "friendly"
pygments_dark_style = "github-dark"  # furo's own underlines names of modules
highlight_language = "none"  # of blocks that name none
html_use_index = False
html_domain_indices = False
