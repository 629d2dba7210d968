"""Sphinx configuration: `make docs`."""

import importlib
from pathlib import Path

import neurokit_fm

project = "neurokit_fm"
author = "neurokit_fm developers"
copyright = author
version = release = neurokit_fm.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "examples"]
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
html_theme = "pydata_sphinx_theme"
html_title = "neurokit_fm"
html_show_sourcelink = False
html_theme_options = {"show_prev_next": False, "secondary_sidebar_items": ["page-toc"]}
default_role = "code"
numpydoc_show_class_members = False
autosummary_generate = True
autodoc_typehints = "none"
suppress_warnings = ["config.cache"]
sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "generated/gallery",
    "abort_on_example_error": True,
    "download_all_examples": False,
    "show_memory": False,
    "show_signature": False,
    "write_computation_times": False,
}


def _write_api_page() -> None:
    """List the public names, from the package itself."""
    names = [name for name, module in neurokit_fm._PUBLIC.items() if callable(_value(name, module))]
    lines = ["API", "===", "", ".. currentmodule:: neurokit_fm", "", ".. autosummary::", "   :toctree: .", ""]
    page = Path(__file__).parent / "generated" / "api" / "index.rst"
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text("\n".join([*lines, *(f"   {name}" for name in names), ""]), encoding="utf-8")


def _value(name: str, module: str) -> object:
    return getattr(importlib.import_module(module), name)


_write_api_page()
