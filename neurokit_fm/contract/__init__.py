"""The input a model was trained on, checked and applied the same way in training and in use."""

from neurokit_fm.contract.base import Contract, Problem, read_contract, write_contract
from neurokit_fm.contract.points import PointsContract
from neurokit_fm.contract.series import SeriesContract
from neurokit_fm.contract.volume import VolumeContract

__all__ = [
    "Contract",
    "PointsContract",
    "Problem",
    "SeriesContract",
    "VolumeContract",
    "read_contract",
    "write_contract",
]
