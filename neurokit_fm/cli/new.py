"""`nkfm new plugin`: a package that passes `nkfm check` at once, to be changed into one's own."""

from __future__ import annotations

import re
from datetime import date
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

import click

import neurokit_fm
from neurokit_fm.errors import StoreError
from neurokit_fm.plugins import BUILT_IN
from neurokit_fm.registry import KINDS

OFFERS = ("modality", "tokenizer", "encoding", "model", "dataset", "reader")
"""What a plugin can be started as; each is a folder of `neurokit_fm/templates/plugin`."""

NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


@click.group("new")
def new() -> None:
    """Start something of your own."""


@new.command("plugin")
@click.argument("name")
@click.option("--kind", default="tokenizer", show_default=True, type=click.Choice(OFFERS), help="What it offers.")
@click.option(
    "--out", default=".", show_default=True, type=click.Path(path_type=Path), help="Folder to write nkfm-NAME into."
)
def plugin(name: str, kind: str, out: Path) -> None:
    """Write a plugin that works: package, entry point, one small example, tests and README."""
    noun = checked_name(name, kind)
    folder = write_plugin(noun, kind, out)
    click.echo(f"wrote {folder}, which offers the {kind} {noun}")
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        click.echo(f"  {path.relative_to(folder)}")
    click.echo(f"\ncd {folder}\npip install -e .\nnkfm check {package_name(noun)}")


def checked_name(name: str, kind: str) -> str:
    """Return the noun a plugin is called, without the prefix every plugin has.

    Raises
    ------
    click.BadParameter
        If it is no name, or taken.
    """
    noun = re.sub(r"^nkfm[-_]", "", name)
    if not NAME.fullmatch(noun):
        tidy = re.sub(r"[^a-z0-9]+", "-", noun.lower()).strip("-0123456789")
        raise click.BadParameter(
            f"{name!r} is not lower-case letters, digits and single hyphens, with a letter first."
            + (f" Did you mean {tidy!r}?" if len(tidy) > 1 else ""),
            param_hint="NAME",
        )
    registry = KINDS[_hook(kind)]
    if noun in registry:
        owners = " and ".join(entry.plugin for entry in registry.entries() if entry.name == noun)
        raise click.BadParameter(f"{owners} offers a {kind} called {noun!r} already.", param_hint="NAME")
    if package_name(noun) in BUILT_IN:
        raise click.BadParameter(f"{package_name(noun)} is part of neurokit_fm.", param_hint="NAME")
    if class_name(noun) in neurokit_fm.__all__ or noun in OFFERS:
        raise click.BadParameter(
            f"{noun!r} is a word of neurokit_fm itself; say what yours is about.", param_hint="NAME"
        )
    return noun


def package_name(noun: str) -> str:
    """Return the import name: ``beat-wave`` is the package ``nkfm_beat_wave``."""
    return f"nkfm_{noun.replace('-', '_')}"


def class_name(noun: str) -> str:
    """Return the name of a class: ``beat-wave`` is ``BeatWave``."""
    return "".join(word.capitalize() for word in noun.split("-"))


def write_plugin(noun: str, kind: str, out: Path) -> Path:
    """Write the distribution ``nkfm-<noun>`` into a folder and return its path.

    Raises
    ------
    StoreError
        If it is there already, or cannot be written; nothing is overwritten.
    """
    folder = out / f"nkfm-{noun}"
    if folder.exists():
        raise StoreError(f"{folder} exists already; choose another name or --out, or delete it first")
    major, minor = map(int, neurokit_fm.__version__.split(".")[:2])
    plain = noun.replace("-", "_")
    attribute = {"modality": plain.upper(), "dataset": f"load_{plain}", "reader": f"read_{plain}"}
    facts = {
        "noun": noun,
        "kind": kind,
        "kinds": _hook(kind),
        "class": class_name(noun),
        "attribute": attribute.get(kind, class_name(noun)),
        "package": package_name(noun),
        "distribution": f"nkfm-{noun}",
        "summary": f"{noun.replace('-', ' ').capitalize()} {kind}",
        "bounds": f">={major}.{minor},<{major}.{minor + 2}",  # public names live on for two minor versions
        "year": date.today().year,
        "has_config": kind in ("tokenizer", "encoding", "model"),
    }
    templates = files("neurokit_fm") / "templates" / "plugin"
    try:
        for part in ("all", kind):
            _render(templates / part, folder, facts)
    except OSError as err:
        raise StoreError(f"{folder} cannot be written ({err.strerror}); choose another --out") from err
    return folder


def _hook(kind: str) -> str:
    return "modalities" if kind == "modality" else f"{kind}s"


def _render(source: Traversable, target: Path, facts: dict[str, object]) -> None:
    """Fill in every template below a folder; ``package`` in a path stands for the import name."""
    import jinja2

    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    target.mkdir(parents=True, exist_ok=True)
    for item in source.iterdir():
        if item.is_dir():
            _render(item, target / (str(facts["package"]) if item.name == "package" else item.name), facts)
        elif item.name.endswith(".jinja"):
            text = environment.from_string(item.read_text(encoding="utf-8")).render(facts)
            (target / item.name.removesuffix(".jinja")).write_text(text, encoding="utf-8")
