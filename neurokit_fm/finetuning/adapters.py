"""Which weights learn how fast: blocks, rates that fall with depth, and adapters of the package peft."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from torch import nn
from torch.nn.modules.linear import NonDynamicallyQuantizableLinear

from neurokit_fm.errors import ConfigError, need
from neurokit_fm.finetuning.config import FinetuneConfig
from neurokit_fm.model import Model
from neurokit_fm.nn.blocks import stacks


def blocks(model: Model) -> tuple[str, nn.Module]:
    """Name of the model's main stack of layers, the one with the most weights, and what holds them.

    Raises
    ------
    ConfigError
        If the model has no such list.
    """
    found = stacks(model)
    if not found:
        raise ConfigError(
            f"{model.name} has no stack of layers (a ModuleList or Sequential); fine-tune it with method 'full' or 'head'"
        )
    sizes = {name: sum(p.numel() for layer in layers for p in layer.parameters()) for name, layers in found.items()}
    name = max(found, key=lambda name: (len(found[name]) > 1, not name.startswith("decoder"), sizes[name]))
    return name, model.get_submodule(name)


def parameter_groups(model: Model, config: FinetuneConfig) -> list[dict[str, Any]]:
    """Weights that learn, each group with its peak rate ``"peak"``; with `layer_decay` the deeper, the slower.

    What comes before the blocks (embeddings) counts as below the first, what comes after them as above the last.
    """
    names = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    head = [p for name, p in names if name.startswith("head.")]
    body = [(name, p) for name, p in names if not name.startswith("head.")]
    groups = [{"params": head, "peak": config.head_lr}] if head else []
    if config.layer_decay == 1 or not body:
        return [*groups, {"params": [p for _, p in body], "peak": config.lr}] if body else groups
    where, _ = blocks(model)
    n = len(stacks(model)[where])
    seen, of_depth = False, dict[int, list[nn.Parameter]]()
    for name, p in body:
        inside = re.match(re.escape(where) + r"\.(\d+)\.", name)
        seen = seen or inside is not None
        depth = int(inside[1]) + 1 if inside else (n + 1 if seen else 0)
        of_depth.setdefault(depth, []).append(p)
    return [
        *groups,
        *(
            {"params": found, "peak": config.lr * config.layer_decay ** (n + 1 - depth)}
            for depth, found in sorted(of_depth.items())
        ),
    ]


def add_adapters(model: Model, config: FinetuneConfig, steps: int) -> Any:
    """Put adapters into the linear maps of the model's blocks and freeze everything else but the head.

    Parameters
    ----------
    model : Model
        Changed in place.
    config : FinetuneConfig
    steps : int
        Of the whole run, which adalora's ranks depend on.

    Returns
    -------
    tuner
        Of peft; ``merge_and_unload()`` puts the adapters into the weights and takes them out of the model.

    Raises
    ------
    MissingDependency
        If peft is not installed.
    ConfigError
        If no linear map is called as `targets` says.
    """
    peft = need("peft", f"fine-tuning with {config.method}", extra="peft")
    where, stack = blocks(model)
    linear = [
        name
        for name, module in stack.named_modules()
        if isinstance(module, nn.Linear) and not isinstance(module, NonDynamicallyQuantizableLinear)
    ]  # the other kind is part of torch's own attention, which takes its weight and never calls it
    chosen = [name for name in linear if not config.targets or name.rpartition(".")[2] in config.targets]
    if not chosen:
        known = sorted({name.rpartition(".")[2] for name in linear})
        raise ConfigError(
            f"no linear map of {model.name} is called {', '.join(config.targets)}; there are {', '.join(known)}"
        )
    full = [f"{where}.{name}" for name in chosen]
    alpha = config.alpha or config.rank
    if config.method in ("lora", "dora"):
        settings = peft.LoraConfig(
            r=config.rank, lora_alpha=alpha, target_modules=full, use_dora=config.method == "dora"
        )
        kind = peft.tuners.lora.LoraModel
    elif config.method == "ia3":
        settings = peft.IA3Config(target_modules=full, feedforward_modules=_second(full))
        kind = peft.tuners.ia3.IA3Model
    elif config.method == "adalora":
        first, last = max(1, steps // 10), max(1, steps // 3)
        settings = peft.AdaLoraConfig(
            init_r=max(2, config.rank * 3 // 2), target_r=config.rank, lora_alpha=alpha, target_modules=full,
            tinit=first, tfinal=last, deltaT=max(1, steps // 50), total_step=max(steps, first + last + 1),
        )  # fmt: skip
        kind = peft.tuners.adalora.AdaLoraModel
    else:
        settings = peft.OFTConfig(r=0, oft_block_size=_block(stack, chosen, config.rank), target_modules=full)
        kind = peft.tuners.oft.OFTModel
    tuner = kind(model, {"default": settings}, "default")
    for name, p in model.named_parameters():
        p.requires_grad = name.startswith("head.") or (p.requires_grad and _is_adapter(name))
    return tuner


def _is_adapter(name: str) -> bool:
    return any(part.startswith(("lora_", "ia3_", "oft_")) for part in name.split("."))


def _second(names: Sequence[str]) -> list[str]:
    """Second maps of the feed-forward parts, whose inputs IA3 scales instead of the outputs."""
    return [name for name in names if name.rpartition(".")[2] in ("down", "fc2", "w2")]


def _block(stack: nn.Module, names: Sequence[str], wanted: int) -> int:
    """Largest block size up to `wanted` that divides every map's number of inputs."""
    widths = [stack.get_submodule(name).in_features for name in names]
    return max(size for size in range(1, wanted + 1) if all(width % size == 0 for width in widths))  # type: ignore[operator]
