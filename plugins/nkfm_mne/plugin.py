"""What nkfm_mne offers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neurokit_fm import Entry, hookimpl

if TYPE_CHECKING:
    from neurokit_fm.data.channels import Positions


@hookimpl
def register_readers() -> list[Entry]:
    """Offer one reader a family of formats; those without suffixes have endings too common to claim."""
    return [
        _reader("mne-object", "reader:from_mne", "MNE Raw, Epochs or Evoked objects"),
        _reader("edf", "eeg_formats:read_edf", "European Data Format, EDF+", ".edf .rec"),
        _reader("bdf", "eeg_formats:read_bdf", "BioSemi Data Format, BDF+", ".bdf"),
        _reader("gdf", "eeg_formats:read_gdf", "General Data Format", ".gdf"),
        _reader("brainvision", "eeg_formats:read_brainvision", "BrainVision", ".vhdr .ahdr"),
        _reader("nihon-kohden", "eeg_formats:read_eeg", "Nihon Kohden, or samples of BrainVision", ".eeg"),
        _reader("eeglab", "eeg_formats:read_eeglab", "EEGLAB", ".set", "pymatreader"),
        _reader("cnt", "eeg_formats:read_cnt", "Neuroscan or ANT eego", ".cnt"),
        _reader("curry", "eeg_formats:read_curry", "Curry", ".cdt .cdt.dpa .dap .rs3 .cef", "curryreader"),
        _reader("bci2000", "eeg_formats:read_dat", "BCI2000, or Curry samples", ".dat"),
        _reader("egi", "eeg_formats:read_egi", "EGI simple binary", ".raw"),
        _reader("egi-mff", "eeg_formats:read_egi", "EGI MFF folder", ".mff", "mffpy defusedxml"),
        _reader("nicolet", "eeg_formats:read_nicolet", "Nicolet", ".data"),
        _reader("persyst", "eeg_formats:read_persyst", "Persyst", ".lay"),
        _reader("eximia", "eeg_formats:read_eximia", "Nexstim eXimia", ".nxe"),
        _reader("nedf", "eeg_formats:read_nedf", "Neuroelectrics NEDF", ".nedf", "defusedxml"),
        _reader("nsx", "eeg_formats:read_nsx", "Blackrock NSx", ".ns1 .ns2 .ns3 .ns4 .ns5 .ns6"),
        _reader("mef", "eeg_formats:read_mef", "MEF3 folder", ".mefd", "pymef"),
        _reader("neuralynx", "eeg_formats:read_neuralynx", "Neuralynx folder", ".ncs", "neo"),
        _reader("fieldtrip", "eeg_formats:read_fieldtrip", "FieldTrip structure", ".mat", "pymatreader"),
        _reader("fif", "meg_formats:read_fif", "FIF recording", ".fif .fif.gz"),
        _reader("epochs-fif", "meg_formats:read_epochs_fif", "FIF epochs", "-epo.fif _epo.fif -epo.fif.gz _epo.fif.gz"),
        _reader(
            "evoked-fif", "meg_formats:read_evoked_fif", "FIF averages", "-ave.fif _ave.fif -ave.fif.gz _ave.fif.gz"
        ),
        _reader("ctf", "meg_formats:read_ctf", "CTF folder", ".ds"),
        _reader("kit", "meg_formats:read_kit", "KIT/Yokogawa", ".sqd .con"),
        _reader("bti", "meg_formats:read_bti", "4D/BTi", "c,rfdc"),
        _reader("artemis", "meg_formats:read_bin", "Artemis123 or UCL FIL OPM", ".bin"),
        _reader("besa", "meg_formats:read_besa", "BESA average", ".avr .mul"),
        _reader("snirf", "meg_formats:read_snirf", "SNIRF", ".snirf"),
        _reader("nirx", "meg_formats:read_nirx", "NIRx", ".hdr"),
        _reader("hitachi", "meg_formats:read_hitachi", "Hitachi ETG"),
        _reader("boxy", "meg_formats:read_boxy", "BOXY"),
        _reader("eyelink", "meg_formats:read_eyelink", "EyeLink", ".asc", "pandas"),
    ]


@hookimpl
def find_positions(names: tuple[str, ...], modality: str, frame: str) -> Positions | None:
    """Answer for scalp electrodes in the frames ``template`` and ``head``."""
    # imported here, so that listing plugins does not import MNE
    from nkfm_mne import positions

    return positions.find_positions(names, modality, frame)


def _reader(name: str, target: str, summary: str, suffixes: str = "", requires: str = "") -> Entry:
    return Entry(
        name=name,
        target=f"nkfm_mne.{target}",
        summary=summary,
        suffixes=tuple(suffixes.split()),
        requires=tuple(requires.split()),
    )
