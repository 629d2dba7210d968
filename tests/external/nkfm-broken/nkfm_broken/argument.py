"""Asks for an argument that the hook does not have."""

from neurokit_fm import hookimpl


@hookimpl
def find_positions(names: tuple[str, ...], colour: str) -> None:
    """Answer nothing."""
