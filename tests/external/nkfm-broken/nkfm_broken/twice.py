"""Offers a name that a built-in plugin offers already, and one of its own."""

from neurokit_fm import Entry, hookimpl


@hookimpl
def register_models() -> list[Entry]:
    """Offer two models."""
    return [
        Entry(name="reve", target="json:loads", summary="Another model of this name"),
        Entry(name="broken-own", target="json:loads", summary="A name of its own"),
    ]
