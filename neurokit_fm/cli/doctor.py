"""`nkfm doctor`: versions, plugins, missing packages, stale installs and the cache, in one place."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import platform
import re
import sys
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import click

import neurokit_fm
from neurokit_fm.plugins import plugins
from neurokit_fm.registry import KINDS

DISTRIBUTION = "neurokit-fm"


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def doctor(ctx: click.Context, as_json: bool) -> None:
    """Check this install; exit 1 if a plugin is broken or a name is offered twice."""
    findings = examine()
    click.echo(json.dumps(findings, indent=2) if as_json else _text(findings))
    ctx.exit(1 if findings["broken"] or findings["offered_twice"] else 0)


def examine() -> dict[str, Any]:
    """Collect everything `nkfm doctor` prints, as JSON-able facts."""
    offered_twice: list[str] = []
    missing: dict[str, list[str]] = {}
    for kind, registry in KINDS.items():
        entries = registry.entries()  # also calls the hooks, which may break
        for name in registry:
            owners = [entry.plugin for entry in entries if entry.name == name]
            if len(owners) > 1:
                offered_twice.append(f"{kind}: {name} is offered by {' and '.join(owners)}")
        for entry in entries:
            for module in entry.requires:
                if importlib.util.find_spec(module) is None:
                    missing.setdefault(module, []).append(f"{kind}: {entry.name}")
    found = plugins()
    return {
        "python": f"{platform.python_version()} ({sys.executable})",
        "neurokit_fm": f"{neurokit_fm.__version__} ({Path(neurokit_fm.__file__).parent})",
        "packages": _versions(),
        "plugins": sorted(name for name, _ in found.manager.list_name_plugin()),
        "broken": dict(found.broken),
        "offered_twice": offered_twice,
        "missing": {
            module: {"needed_by": needed_by, "install": f"pip install {module}"}
            for module, needed_by in missing.items()
        },
        "extras": _missing_extras(),
        "install_hints": _install_hints(),
        "cache": _cache(),
    }


def _requirements() -> list[str]:
    try:
        return importlib.metadata.requires(DISTRIBUTION) or []
    except importlib.metadata.PackageNotFoundError:
        return []


def _versions() -> dict[str, str]:
    names = [re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in _requirements() if "extra ==" not in line]
    return {name: _version(name) or "not installed" for name in names}


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _missing_extras() -> dict[str, dict[str, Any]]:
    wanted: dict[str, list[str]] = {}
    for line in _requirements():
        extra = re.search(r"extra == ['\"](.+?)['\"]", line)
        name = re.split(r"[^\w.-]", line, maxsplit=1)[0]
        if extra and not _version(name):
            wanted.setdefault(extra.group(1), []).append(name)
    return {
        extra: {"missing": names, "install": f"pip install '{DISTRIBUTION}[{extra}]'"}
        for extra, names in wanted.items()
    }


def _install_hints() -> list[str]:
    here = Path(neurokit_fm.__file__).resolve().parent.parent
    installs = list({str(d.locate_file("")): d for d in importlib.metadata.distributions(name=DISTRIBUTION)}.values())
    if not installs:
        return [f"neurokit_fm is imported from {here} but not installed; run: pip install -e {here}"]
    hints = []
    if len(installs) > 1:
        folders = ", ".join(str(d.locate_file("")) for d in installs)
        hints.append(
            f"{DISTRIBUTION} is installed {len(installs)} times ({folders}); run: pip uninstall {DISTRIBUTION}"
        )
    for installed in installs:
        if installed.version != neurokit_fm.__version__:
            hints.append(
                f"the installed {DISTRIBUTION} says version {installed.version}, the imported code {neurokit_fm.__version__}; "
                f"run: pip install -e {here}"
            )
        origin = json.loads(installed.read_text("direct_url.json") or "{}")
        if origin.get("dir_info", {}).get("editable"):
            source = Path(unquote(urlparse(origin["url"]).path)).resolve()
            if source != here:
                hints.append(f"the editable install points at {source}, but neurokit_fm is imported from {here}")
    return hints


def _cache() -> dict[str, Any]:
    from huggingface_hub.constants import HF_HUB_CACHE

    folder = Path(HF_HUB_CACHE)
    size = (
        sum(f.stat().st_size for f in folder.rglob("*") if f.is_file() and not f.is_symlink()) if folder.is_dir() else 0
    )
    return {"folder": str(folder), "megabytes": round(size / 1e6, 1)}


def _text(findings: dict[str, Any]) -> str:
    lines = [f"python       {findings['python']}", f"neurokit_fm  {findings['neurokit_fm']}"]
    lines.append("packages     " + ", ".join(f"{name} {version}" for name, version in findings["packages"].items()))
    lines.append(f"plugins      {len(findings['plugins'])} found: {', '.join(findings['plugins'])}")
    lines.append(f"cache        {findings['cache']['megabytes']} MB in {findings['cache']['folder']}")
    for name, why in findings["broken"].items():
        lines.append(f"BROKEN       {name}: {why}")
    lines += [f"TWICE        {line}" for line in findings["offered_twice"]]
    for module, need in findings["missing"].items():
        lines.append(f"missing      {module}, for {'; '.join(need['needed_by'])}\n               {need['install']}")
    for extra, need in findings["extras"].items():
        lines.append(
            f"optional     {extra}: {', '.join(need['missing'])} not installed\n               {need['install']}"
        )
    lines += [f"hint         {line}" for line in findings["install_hints"]]
    if not findings["broken"] and not findings["offered_twice"]:
        lines.append("no problem found")
    return "\n".join(lines)
