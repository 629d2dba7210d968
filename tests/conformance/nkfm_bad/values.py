"""Modalities and commands."""

import click

from neurokit_fm import Modality

HONEST = Modality(name="smell", layout="series", kinds=("nose",), unit_range=(("nose", 1e-3, 1.0),))
UPSIDE_DOWN = Modality(name="upside-down", layout="series", kinds=("nose",), unit_range=(("nose", 1.0, 1e-3),))
OTHER_NAME = Modality(name="taste", layout="series", kinds=("tongue",))


@click.command()
def sniff():
    """Sniff."""


def no_command():
    """Do nothing."""
