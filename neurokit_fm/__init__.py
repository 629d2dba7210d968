"""neurokit_fm: foundation models for EEG, MEG and other biosignals.

Public names resolve on first use; importing the package loads neither numpy nor torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_PUBLIC = {
    "Batch": "neurokit_fm.batch.batch",
    "Channels": "neurokit_fm.data.channels",
    "Dataset": "neurokit_fm.dataset",
    "Embedder": "neurokit_fm.probing.estimator",
    "Embedding": "neurokit_fm.embedding",
    "Entry": "neurokit_fm.hooks",
    "Events": "neurokit_fm.data.events",
    "Features": "neurokit_fm.tokens",
    "Graph": "neurokit_fm.data.graph",
    "Info": "neurokit_fm.data.recording",
    "Loss": "neurokit_fm.model",
    "Modality": "neurokit_fm.data.modality",
    "Model": "neurokit_fm.model",
    "NkfmError": "neurokit_fm.errors",
    "PointProcess": "neurokit_fm.data.points",
    "PointsContract": "neurokit_fm.contract",
    "PositionalEncoding": "neurokit_fm.model",
    "PublishedWeights": "neurokit_fm.checkpoints",
    "Recording": "neurokit_fm.data.recording",
    "SeriesContract": "neurokit_fm.contract",
    "TimeSeries": "neurokit_fm.data.series",
    "Tokenizer": "neurokit_fm.model",
    "Tokens": "neurokit_fm.tokens",
    "Volume": "neurokit_fm.data.volume",
    "VolumeContract": "neurokit_fm.contract",
    "as_module": "neurokit_fm.bridge",
    "datasets": "neurokit_fm.registry",
    "embed": "neurokit_fm.embedding",
    "encodings": "neurokit_fm.registry",
    "finetune": "neurokit_fm.finetuning",
    "from_array": "neurokit_fm.data.recording",
    "from_mne": "neurokit_fm.reading",
    "hookimpl": "neurokit_fm.hooks",
    "load_model": "neurokit_fm.hub",
    "modalities": "neurokit_fm.registry",
    "models": "neurokit_fm.registry",
    "pretrain": "neurokit_fm.training",
    "probe": "neurokit_fm.probing",
    "read": "neurokit_fm.reading",
    "readers": "neurokit_fm.registry",
    "split": "neurokit_fm.splits",
    "tokenizers": "neurokit_fm.registry",
    "weights": "neurokit_fm.registry",
}

__all__ = list(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        from neurokit_fm.deprecations import resolve

        return resolve(name, __all__)
    value = getattr(importlib.import_module(_PUBLIC[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


if TYPE_CHECKING:
    from neurokit_fm.batch.batch import Batch as Batch
    from neurokit_fm.bridge import as_module as as_module
    from neurokit_fm.checkpoints import PublishedWeights as PublishedWeights
    from neurokit_fm.contract import PointsContract as PointsContract
    from neurokit_fm.contract import SeriesContract as SeriesContract
    from neurokit_fm.contract import VolumeContract as VolumeContract
    from neurokit_fm.data.channels import Channels as Channels
    from neurokit_fm.data.events import Events as Events
    from neurokit_fm.data.graph import Graph as Graph
    from neurokit_fm.data.modality import Modality as Modality
    from neurokit_fm.data.points import PointProcess as PointProcess
    from neurokit_fm.data.recording import Info as Info
    from neurokit_fm.data.recording import Recording as Recording
    from neurokit_fm.data.recording import from_array as from_array
    from neurokit_fm.data.series import TimeSeries as TimeSeries
    from neurokit_fm.data.volume import Volume as Volume
    from neurokit_fm.dataset import Dataset as Dataset
    from neurokit_fm.embedding import Embedding as Embedding
    from neurokit_fm.embedding import embed as embed
    from neurokit_fm.errors import NkfmError as NkfmError
    from neurokit_fm.finetuning import finetune as finetune
    from neurokit_fm.hooks import Entry as Entry
    from neurokit_fm.hooks import hookimpl as hookimpl
    from neurokit_fm.hub import load_model as load_model
    from neurokit_fm.model import Loss as Loss
    from neurokit_fm.model import Model as Model
    from neurokit_fm.model import PositionalEncoding as PositionalEncoding
    from neurokit_fm.model import Tokenizer as Tokenizer
    from neurokit_fm.probing import probe as probe
    from neurokit_fm.probing.estimator import Embedder as Embedder
    from neurokit_fm.reading import from_mne as from_mne
    from neurokit_fm.reading import read as read
    from neurokit_fm.registry import datasets as datasets
    from neurokit_fm.registry import encodings as encodings
    from neurokit_fm.registry import modalities as modalities
    from neurokit_fm.registry import models as models
    from neurokit_fm.registry import readers as readers
    from neurokit_fm.registry import tokenizers as tokenizers
    from neurokit_fm.registry import weights as weights
    from neurokit_fm.splits import split as split
    from neurokit_fm.tokens import Features as Features
    from neurokit_fm.tokens import Tokens as Tokens
    from neurokit_fm.training import pretrain as pretrain
