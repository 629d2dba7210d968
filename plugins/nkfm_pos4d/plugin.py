"""What nkfm_pos4d offers."""

from neurokit_fm import Entry, hookimpl


@hookimpl
def register_encodings() -> list[Entry]:
    return [
        Entry(
            name="fourier-4d",
            target="nkfm_pos4d.encoding:Fourier4d",
            summary="Fourier features of sensor position and time, plus a learned branch (REVE)",
            paper="arXiv:2510.21585",
        )
    ]
