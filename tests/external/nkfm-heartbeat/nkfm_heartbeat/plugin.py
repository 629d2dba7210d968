"""What nkfm_heartbeat offers."""

from neurokit_fm import Entry, hookimpl


@hookimpl
def register_modalities() -> list[Entry]:
    """Offer the pulse wave; the core knows ECG already."""
    return [
        Entry(name="ppg", target="nkfm_heartbeat.modality:PPG", summary="Photoplethysmography, the optical pulse wave")
    ]


@hookimpl
def register_readers() -> list[Entry]:
    """Offer the reader of text files; `.txt` alone would be too much to claim."""
    return [
        Entry(
            name="heartbeat-text",
            target="nkfm_heartbeat.reader:read_text",
            summary="a text recording of ECG or PPG",
            suffixes=("ecg.txt", "ppg.txt"),
        )
    ]


@hookimpl
def register_tokenizers() -> list[Entry]:
    """Offer the beat tokenizer."""
    return [
        Entry(
            name="beat",
            target="nkfm_heartbeat.tokenizer:BeatTokenizer",
            summary="One token a heartbeat, cut around its peak",
            paper="doi 10.1109/TBME.1985.325532",
        )
    ]


@hookimpl
def register_commands() -> list[Entry]:
    """Offer `nkfm heartbeat`."""
    return [
        Entry(
            name="heartbeat",
            target="nkfm_heartbeat.command:heartbeat",
            summary="Pretrain a masked autoencoder of heartbeats",
        )
    ]
