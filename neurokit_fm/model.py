"""The learned interfaces: Tokenizer, PositionalEncoding, Model, and the one-method protocols a model may add."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from neurokit_fm.batch.batch import Batch, Stream
from neurokit_fm.checkpoints import LoadReport
from neurokit_fm.contract import Contract, SeriesContract
from neurokit_fm.data.recording import Recording
from neurokit_fm.errors import ConfigError
from neurokit_fm.heads import Head, HeadConfig
from neurokit_fm.tokens import Features, Tokens


class Tokenizer(nn.Module, ABC):
    """Stream to Tokens, in two steps: cut the stream into places with raw values, then embed those.

    A masked model predicts the raw values of hidden tokens, so any tokenizer serves any such model.

    Attributes
    ----------
    config_class : type
        Frozen dataclass.
    accepts : tuple of type
        Stream types.
    raw_width : int
        Width of the raw values of one token.
    example : config or None
        A small configuration, which the conformance suite builds. None: ``config_class()``.
    example_sfreq : float, Hz
        A rate at which it works.
    """

    config_class: ClassVar[type]
    accepts: ClassVar[tuple[type, ...]]
    example: ClassVar[Any] = None
    example_sfreq: ClassVar[float] = 200.0
    raw_width: int

    @abstractmethod
    def cut(self, stream: Any) -> Tokens:
        """Return tokens whose values (B, N, raw_width) are the signal itself, channel-major."""

    @abstractmethod
    def embed(self, raw: Tensor) -> Tensor:
        """Map raw values (B, N, raw_width) to token vectors (B, N, D)."""

    @abstractmethod
    def shortest_s(self, sfreq: float) -> float:
        """Duration of the shortest signal that gives one token, seconds."""

    def forward(self, stream: Stream) -> Tokens:
        """Cut and embed."""
        tokens = self.cut(stream)
        return tokens.with_values(self.embed(tokens.values))


class PositionalEncoding(nn.Module, ABC):
    """Coordinates (x, y, z, t) to vectors that are added to the tokens.

    Attributes
    ----------
    config_class : type
        Frozen dataclass.
    example : config or None
        A small configuration, which the conformance suite builds with width 32. None: ``config_class()``.
    """

    config_class: ClassVar[type]
    example: ClassVar[Any] = None

    @abstractmethod
    def forward(self, coords: Tensor) -> Tensor:
        """Map coordinates (B, N, 4), metres and seconds, NaN = unknown, to finite vectors (B, N, D)."""


@dataclass(frozen=True, eq=False)
class Loss:
    """What training minimises, and its parts.

    Attributes
    ----------
    total : Tensor, scalar
    parts : mapping of str to Tensor, scalars
        For the log.
    """

    total: Tensor
    parts: Mapping[str, Tensor] = field(default_factory=dict)


class Model(nn.Module, ABC):
    """Batch to Features; what every model of every modality is.

    Attributes
    ----------
    name : str
        Registry name.
    config_class : type
        Frozen dataclass, JSON-able, read strictly.
    accepts : tuple of type
        Stream types that `forward` takes.
    order_aware : bool
        True for a model to which the order of channels means something; it is then not checked that it does not.
    example : config or None
        A small configuration (under a million parameters), which the conformance suite builds. None:
        ``config_class()``.
    example_contract : Contract
        The input of that instance.
    config, contract :
        As given to the constructor.
    head : Head or None
        Maps features to predictions; saved with the model.
    reference : str
        What the model was loaded as; its registry name for a fresh one.
    load_report : LoadReport or None
        What `load_model` loaded.
    """

    name: ClassVar[str]
    config_class: ClassVar[type]
    accepts: ClassVar[tuple[type, ...]]
    order_aware: ClassVar[bool] = False
    example: ClassVar[Any] = None
    example_contract: ClassVar[Contract] = SeriesContract()

    def __init__(self, config: Any, contract: Contract):
        super().__init__()
        if not isinstance(config, self.config_class):
            raise ConfigError(f"{self.name} takes a {self.config_class.__name__}; got {type(config).__name__}")
        self.config: Any = config
        self.contract = contract
        self.head: Head | None = None
        self.reference = self.name
        self.load_report: LoadReport | None = None

    @abstractmethod
    def forward(self, batch: Batch) -> Features:
        """Map a batch, in the units of the contract, to features."""

    def predict(self, batch: Batch) -> Tensor:
        """Features through the head: (B, outputs).

        Raises
        ------
        ConfigError
            If the model has no head.
        """
        if self.head is None:
            raise ConfigError(f"this {self.name} has no head; give it one with attach_head(HeadConfig(...))")
        return self.head(self(batch))  # type: ignore[no-any-return]

    def attach_head(self, config: HeadConfig) -> Head:
        """Give the model a fresh head and return it."""
        self.head = Head(config)
        return self.head

    def count_parameters(self) -> int:
        """Number of parameters, the head's included."""
        return sum(p.numel() for p in self.parameters())

    def save_pretrained(
        self,
        folder: str | os.PathLike[str],
        *,
        licence: str = "",
        training: Mapping[str, Any] | None = None,
        evaluation: Mapping[str, Any] | None = None,
    ) -> None:
        """Write `config.json`, `model.safetensors`, `fingerprint.safetensors` and a model card into a folder.

        Parameters
        ----------
        folder : path-like
        licence : str, optional
            Of the weights, for the card: an identifier as the Hub knows them, or free words.
        training : mapping, optional
            The recipe, for the card and `training.json`.
        evaluation : mapping of data set to ProbeReport, optional
            For the card and `evaluation.json`.
        """
        from neurokit_fm.hub.folder import save_model

        save_model(self, folder, licence=licence, training=training, evaluation=evaluation)

    def push_to_hub(
        self,
        repo: str,
        *,
        private: bool | None = None,
        revision: str = "main",
        message: str = "",
        token: str | None = None,
        licence: str = "",
        training: Mapping[str, Any] | None = None,
        evaluation: Mapping[str, Any] | None = None,
    ) -> str:
        """Publish the model as ``"owner/name"`` on the Hub; the repository is created if there is none.

        Parameters
        ----------
        repo : str
        private : bool, optional
            Of a new repository; default: what the owner's settings say.
        revision : str, optional
            Branch; default ``"main"``.
        message : str, optional
            Of the commit.
        token : str, optional
            Default: what ``hf auth login`` stored, or ``HF_TOKEN``.
        licence, training, evaluation : optional
            As in `save_pretrained`.

        Returns
        -------
        str
            ``"owner/name@commit"``, which `load_model` takes.

        Raises
        ------
        WeightsError
            If the Hub refuses, saying what to do.
        """
        from neurokit_fm.hub.push import push_folder, saved

        with saved(self, licence=licence, training=training, evaluation=evaluation) as folder:
            return push_folder(folder, repo, private=private, revision=revision, message=message, token=token)


@runtime_checkable
class Pretrainable(Protocol):
    """A model with a self-supervised objective."""

    def loss(self, batch: Batch, *, generator: torch.Generator | None = None) -> Loss:
        """Objective on a batch, all randomness from `generator`."""
        ...


@runtime_checkable
class Invertible(Protocol):
    """A tokenizer whose raw tokens can be laid back into the signal they were cut from."""

    def decode(self, tokens: Tokens) -> Tensor:
        """Map tokens as `cut` returned them to the signal (B, C, T), for as many samples as they cover."""
        ...


@runtime_checkable
class Fittable(Protocol):
    """A model that is fitted to recordings as a whole (EM, ridge), not by gradient steps."""

    def fit(self, recordings: Sequence[Recording], *, seed: int = 0) -> Any:
        """Fit in place and return the model."""
        ...
