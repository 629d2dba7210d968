"""`nkfm check`: hold a plugin against the rules, one line an entry, and say how to mend what is broken."""

from __future__ import annotations

import fnmatch
import itertools
import json
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

import click

from neurokit_fm.errors import UnknownName

if TYPE_CHECKING:
    from neurokit_fm.testing.checks import Check


@dataclass(frozen=True)
class Outcome:
    """What came of a check."""

    kind: str
    entry: str
    name: str
    status: Literal["passed", "failed", "skipped"]
    message: str
    seconds: float


@click.command("check")
@click.argument("plugin", required=False)
@click.option("--all", "every", is_flag=True, help="Check every plugin that is found.")
@click.option("--only", metavar="PATTERN", default="", help="Only checks like this: 'padding', 'model:*/padding'.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def check(ctx: click.Context, plugin: str | None, every: bool, only: str, as_json: bool) -> None:
    """Check PLUGIN, as `nkfm doctor` calls it, against the rules in docs/write-a-plugin.md; exit 1 if one is broken."""
    if every == bool(plugin):
        raise click.UsageError("name one plugin, or give --all")
    from neurokit_fm.testing.checks import checks_for

    pattern = only if any(c in only for c in "*?[") else f"*{only}*"
    wanted = [c for c in checks_for(plugin) if fnmatch.fnmatchcase(c.key, pattern)]
    if not wanted:
        raise UnknownName(f"no check of {plugin or 'any plugin'} is like {only!r}; leave --only out to see all")
    done = [run(c) for c in wanted]
    click.echo(json.dumps([asdict(outcome) for outcome in done], indent=2) if as_json else report(done))
    ctx.exit(1 if any(outcome.status == "failed" for outcome in done) else 0)


def run(check: Check) -> Outcome:
    """Run one check."""
    from neurokit_fm.testing.checks import CheckFailed, CheckSkipped

    start = time.perf_counter()
    status: Literal["passed", "failed", "skipped"] = "passed"
    message = ""
    try:
        check()
    except CheckSkipped as err:
        status, message = "skipped", str(err)
    except CheckFailed as err:
        status, message = "failed", str(err)
    return Outcome(check.kind, check.entry, check.name, status, message, round(time.perf_counter() - start, 4))


def report(outcomes: list[Outcome]) -> str:
    """One line an entry, then every failure in full."""
    lines = []
    for (kind, entry), group in itertools.groupby(outcomes, key=lambda outcome: (outcome.kind, outcome.entry)):
        each = list(group)
        words = [o.name if o.status == "passed" else f"{o.name} FAILED" for o in each if o.status != "skipped"]
        counts = [(status, sum(o.status == status for o in each)) for status in ("passed", "failed", "skipped")]
        counted = ", ".join(f"{n} {status}" for status, n in counts if n)
        lines.append(f"{kind} {entry}".ljust(28) + "  " + "  ".join(words) + f"   {counted}")
    failures = [outcome.message for outcome in outcomes if outcome.status == "failed"]
    return "\n\n".join(["\n".join(lines), *failures])
