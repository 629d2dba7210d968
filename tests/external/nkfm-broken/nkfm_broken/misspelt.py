"""Implements a hook that there is not."""

from neurokit_fm import Entry, hookimpl


@hookimpl
def register_tokenisers() -> list[Entry]:
    """Offer a tokenizer that nobody will ever find."""
    return [Entry(name="lost", target="json:loads", summary="Never found")]
