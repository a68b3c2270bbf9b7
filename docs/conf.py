"""Sphinx: MyST markdown, furo. `sphinx-build -W docs build/docs` is a test."""

project = "posengine"
author = "the posengine team"
release = "0.1.0"
extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "posengine"
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 4
suppress_warnings = ["myst.xref_missing", "misc.highlighting_failure"]
