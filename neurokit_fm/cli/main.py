"""`nkfm`: finds commands by name without importing them, and turns errors into one clean message.

Light on purpose: `nkfm list` must load neither torch, numpy nor mne.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from neurokit_fm import __version__
from neurokit_fm.errors import NkfmError, PluginError, did_you_mean
from neurokit_fm.hooks import Entry
from neurokit_fm.registry import commands

COMMANDS = {
    entry.name: entry
    for entry in (
        Entry(name="cache", target="neurokit_fm.cli.cache:cache", summary="Show or remove models in the local cache"),
        Entry(
            name="bench", target="neurokit_fm.cli.bench:bench", summary="Measure models on many tasks after a recipe"
        ),
        Entry(
            name="check", target="neurokit_fm.cli.check:check", summary="Hold a plugin against the rules for plugins"
        ),
        Entry(name="demo", target="neurokit_fm.cli.demo:demo", summary="Run the whole toolkit once, offline"),
        Entry(
            name="doctor", target="neurokit_fm.cli.doctor:doctor", summary="Find out what is wrong with this install"
        ),
        Entry(name="embed", target="neurokit_fm.cli.embed:embed", summary="Turn recordings into embeddings"),
        Entry(name="finetune", target="neurokit_fm.cli.finetune:finetune", summary="Train a model on labelled data"),
        Entry(name="info", target="neurokit_fm.cli.info:info", summary="Say what a name, file, model or corpus is"),
        Entry(name="list", target="neurokit_fm.cli.list:list_names", summary="List what the plugins offer"),
        Entry(name="new", target="neurokit_fm.cli.new:new", summary="Start a plugin that passes every check"),
        Entry(
            name="prepare",
            target="neurokit_fm.cli.prepare:prepare",
            summary="Turn recordings into a corpus to train on",
        ),
        Entry(name="pretrain", target="neurokit_fm.cli.pretrain:pretrain", summary="Pre-train a model after a recipe"),
        Entry(name="probe", target="neurokit_fm.cli.probe:probe", summary="Measure frozen models on labelled data"),
        Entry(name="pull", target="neurokit_fm.cli.pull:pull", summary="Fetch a model into the local cache"),
        Entry(name="push", target="neurokit_fm.cli.push:push", summary="Publish a model folder on the Hub"),
    )
}
"""The commands of the core; plugins add theirs through `register_commands`."""


class LazyGroup(click.Group):
    """A click group whose commands are entries, imported when they run and described without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the core's commands and the plugins', sorted."""
        return sorted({*COMMANDS, *commands})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command; None if nobody offers it."""
        if cmd_name not in COMMANDS:
            return _checked(commands.load(cmd_name), commands[cmd_name]) if cmd_name in commands else None
        entry = COMMANDS[cmd_name]
        module, _, attribute = entry.target.partition(":")
        return _checked(getattr(importlib.import_module(module), attribute), entry)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command a line starts with; an unknown one is a usage error with the closest name."""
        name = args[0] if args else ""
        if name and not name.startswith("-") and name not in self.list_commands(ctx):
            ctx.fail(f"no command called {name!r}.{did_you_mean(name, self.list_commands(ctx))}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table of commands from their entries."""
        offered = {entry.name: entry for entry in commands.entries()} | COMMANDS
        with formatter.section("Commands"):
            formatter.write_dl([(name, offered[name].summary) for name in sorted(offered)])


def _checked(command: object, entry: Entry) -> click.Command:
    if not isinstance(command, click.Command):
        raise PluginError(
            f"{entry.plugin or 'neurokit_fm'}: command {entry.name!r} must be a click command; "
            f"{entry.target} is a {type(command).__name__}"
        )
    return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="nkfm")
def cli() -> None:
    """Foundation models for EEG, MEG and other biosignals."""


def main(args: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit: 0 fine, 1 a problem was found, 2 wrong usage, 130 interrupted.

    Errors raised on purpose become one message on stderr; any other exception is a bug and keeps its traceback.
    """
    try:
        code = cli.main(args=None if args is None else list(args), prog_name="nkfm", standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("nkfm: interrupted", err=True)
        sys.exit(130)
    except click.ClickException as err:
        err.show()
        sys.exit(err.exit_code)
    except (NkfmError, FileNotFoundError) as err:
        click.echo(f"nkfm: {err}", err=True)
        sys.exit(1)
    sys.exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    main()
