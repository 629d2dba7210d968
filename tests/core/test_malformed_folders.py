"""Model folders that are not what they must be: each gets its own words, and none does harm."""

from __future__ import annotations

import json
import os
import shutil
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neurokit_fm.errors import NkfmError, WeightsError
from neurokit_fm.heads import HeadConfig
from neurokit_fm.hub.folder import load_folder
from neurokit_fm.hub.header import LARGEST_HEADER, read_header
from nkfm_reve.config import CONTRACT, ReveConfig
from nkfm_reve.model import Reve


def make(folder: Path) -> Path:
    torch.manual_seed(0)
    model = Reve(ReveConfig(width=32, depth=1, heads=2, head_dim=16, freqs=3), CONTRACT)
    model.attach_head(HeadConfig(width=32, n_outputs=2, labels=("left", "right")))
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("models") / "whole")


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "model"))


def config(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    described = json.loads((folder / "config.json").read_text())
    change(described)
    (folder / "config.json").write_text(json.dumps(described))


def header(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    content = (folder / "model.safetensors").read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    described = json.loads(content[8 : 8 + length])
    change(described)
    text = json.dumps(described).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + content[8 + length :])


def tensors(folder: Path, **values: Any) -> None:
    state = safetensors.torch.load_file(folder / "model.safetensors")
    changed = {key: value(state[key]) for key, value in values.items()}
    safetensors.torch.save_file({**{k: v.clone() for k, v in state.items()}, **changed}, folder / "model.safetensors")


def with_nan(values: torch.Tensor) -> torch.Tensor:
    return values.clone().index_fill_(0, torch.tensor([0]), torch.nan)


def link_away(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder.parent / "elsewhere")
    (folder / "model.safetensors").symlink_to(folder.parent / "elsewhere")


def pipe(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    os.mkfifo(folder / "model.safetensors")


def long_header(folder: Path) -> None:
    with (folder / "model.safetensors").open("wb") as file:
        file.write(struct.pack("<Q", LARGEST_HEADER + 1))
        file.truncate(LARGEST_HEADER + 100)  # a hole: takes no room on the disk


def cut(folder: Path) -> None:
    content = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(content[:-4])


def twice(folder: Path) -> None:
    path = folder / "model.safetensors"
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    text = content[8 : 8 + length].rstrip()
    text = b'{"pool.query":{},' + text[1:]
    path.write_bytes(struct.pack("<Q", len(text)) + text + content[8 + length :])


MALFORMED: dict[str, tuple[Callable[[Path], Any], str]] = {
    "empty": (lambda f: [p.unlink() for p in f.iterdir()], "is not a model folder: no config.json .found: nothing"),
    "no weights": (lambda f: (f / "model.safetensors").unlink(), "model.safetensors is missing"),
    "config is no JSON": (lambda f: (f / "config.json").write_text("{"), "config.json is not valid JSON"),
    "config is deep": (lambda f: (f / "config.json").write_text("[" * 10**6), "is not valid JSON: maximum recursion"),
    "config is huge": (
        lambda f: (f / "config.json").write_text(" " * 10_000_001),
        "no model is described in more than",
    ),
    "config is a list": (lambda f: (f / "config.json").write_text("[]"), "must hold a JSON object; found list"),
    "config of another library": (
        lambda f: config(f, lambda c: c.pop("neurokit_fm")),
        "was not written by neurokit_fm",
    ),
    "config of the future": (lambda f: config(f, lambda c: c["neurokit_fm"].update(format=9)), "format 9 .* upgrade"),
    "config lacks a section": (lambda f: config(f, lambda c: c.pop("head")), "missing or superfluous: head"),
    "config has code": (lambda f: config(f, lambda c: c.update(auto_map={})), "missing or superfluous: auto_map"),
    "unknown model": (lambda f: config(f, lambda c: c["neurokit_fm"].update(model="revee")), "Did you mean 'reve'"),
    "unknown setting": (lambda f: config(f, lambda c: c["config"].update(dpeth=3)), "Did you mean 'depth'"),
    "unknown setting of the contract": (
        lambda f: config(f, lambda c: c["contract"].update(hz=1)),
        "has no setting 'hz'",
    ),
    "unknown setting of the head": (
        lambda f: config(f, lambda c: c["head"].update(bias=1)),
        "HeadConfig has no setting",
    ),
    "labels that do not fit": (lambda f: config(f, lambda c: c["head"].update(labels=["x"])), "1 labels for 2 outputs"),
    "endless depth": (
        lambda f: config(f, lambda c: c["config"].update(depth=10**9)),
        "has more than .* parameters; the",
    ),
    "endless width": (
        lambda f: config(f, lambda c: c["config"].update(heads=10**12)),
        "shape .* expected .*16000000000000",
    ),
    "a longer example than any": (
        lambda f: config(f, lambda c: c["contract"].update(min_window_s=1e9, window_s=1e9)),
        "an example of .* values",
    ),
    "pickle": (lambda f: torch.save({}, f / "model.safetensors"), "it looks like a pickle, which can run code"),
    "pickle beside": (
        lambda f: (f / "model.safetensors").rename(f / "model.bin"),
        r"Pickles \(model.bin\) can run code",
    ),
    "text": (lambda f: (f / "model.safetensors").write_text("x" * 99), "its header is longer than the file"),
    "nothing": (lambda f: (f / "model.safetensors").write_text(""), "its header is longer than the file"),
    "long header": (long_header, "a header of 25.0 MB; at most"),
    "cut off": (cut, "is damaged: its tensors take .* bytes, and there are"),
    "a tensor twice": (twice, "'pool.query' stands there twice"),
    "shape bomb": (
        lambda f: header(f, lambda h: h["pool.query"].update(shape=[2**40, 2**40])),
        r"'pool.query' claims shape \[1099511627776, 1099511627776\] of F32 in 128 bytes",
    ),
    "overlap": (
        lambda f: header(
            f, lambda h: h["pool.query"].update(data_offsets=h["head.linear.bias"]["data_offsets"], shape=[2])
        ),
        "tensors overlap or leave a gap",
    ),
    "unknown type": (
        lambda f: header(f, lambda h: h["pool.query"].update(dtype="F4")),
        "does not describe 'pool.query'",
    ),
    "NaN": (
        lambda f: tensors(f, **{"head.linear.bias": with_nan}),
        "head.linear.bias: holds values that are not finite",
    ),
    "infinity": (lambda f: tensors(f, **{"head.linear.bias": lambda x: x / 0}), "that are not finite"),
    "double": (
        lambda f: tensors(f, **{"pool.query": torch.Tensor.double}),
        "float64 does not go into float32 without loss",
    ),
    "integers": (lambda f: tensors(f, **{"pool.query": torch.Tensor.int}), "int32 does not go into float32"),
    "another shape": (
        lambda f: tensors(f, **{"pool.query": lambda x: x[0]}),
        r"shape \(1, 32\), expected \(1, 1, 32\)",
    ),
    "other weights": (
        lambda f: tensors(f, **{"pool.query": lambda x: x + 1}),
        "does not reproduce its own fingerprint",
    ),
    "a link elsewhere": (link_away, "is a link that leaves its folder .*; put the file itself there"),
    "a pipe": (pipe, "is not a file; a folder, pipe or broken link"),
    "a fingerprint of other input": (
        lambda f: config(f, lambda c: c["contract"].update(min_window_s=2.0)),
        "fingerprint was made for another contract",
    ),
    "a fingerprint without output": (
        lambda f: safetensors.torch.save_file({"x": torch.zeros(1)}, f / "fingerprint.safetensors"),
        "fingerprint .* another contract",
    ),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_folder_is_refused_in_its_own_words(folder, name):
    spoil, words = MALFORMED[name]
    spoil(folder)
    began = time.perf_counter()
    with pytest.raises(NkfmError, match=words):
        load_folder(folder)
    assert time.perf_counter() - began < 5


def test_the_messages_differ(whole, tmp_path):
    said = set()
    for name in ("no weights", "config is no JSON", "config of another library", "config of the future", "unknown setting",
                 "pickle", "long header", "cut off", "shape bomb", "NaN", "double", "other weights", "a link elsewhere"):  # fmt: skip
        folder = Path(shutil.copytree(whole, tmp_path / "model"))
        MALFORMED[name][0](folder)
        with pytest.raises(NkfmError) as caught:
            load_folder(folder)
        said.add(str(caught.value))
        shutil.rmtree(folder)
    assert len(said) == 13


def test_narrow_floats_are_widened_exactly(folder):
    model, _ = load_folder(folder)
    model.bfloat16().save_pretrained(folder)
    back, report = load_folder(folder)
    assert all(p.dtype is torch.float32 for p in back.parameters())
    assert all(
        torch.equal(a.float(), b) for a, b in zip(model.state_dict().values(), back.state_dict().values(), strict=True)
    )
    assert report.fingerprint < 2e-3


def test_eight_bits_are_floats_too(folder):
    tensors(folder, **{"pool.query": lambda x: x.to(torch.float8_e4m3fn)})
    (folder / "fingerprint.safetensors").unlink()
    model, _ = load_folder(folder)
    assert model.pool.query.dtype is torch.float32
    tensors(folder, **{"pool.query": lambda x: torch.full_like(x, torch.nan).to(torch.float8_e5m2)})
    with pytest.raises(WeightsError, match="pool.query: holds values that are not finite"):
        load_folder(folder)


def test_a_mapped_model_can_be_trained_and_saved_over_itself(folder):
    model, report = load_folder(folder)
    before = (folder / "model.safetensors").read_bytes()
    with torch.no_grad():
        for p in model.parameters():
            p.add_(1e-3)
    assert (folder / "model.safetensors").read_bytes() == before
    assert report.sha256
    model.save_pretrained(folder)
    again, _ = load_folder(folder)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True))
    assert report.of(folder / "config.json").sha256 != report.sha256


def test_a_report_does_not_name_the_hash_of_another_file(folder):
    _, report = load_folder(folder)
    tensors(folder, **{"pool.query": lambda x: x + 1})
    assert report.sha256 == ""


@pytest.mark.parametrize("length", [0x0280, 0x0580, 0x4B50])
def test_a_header_whose_length_looks_like_a_pickle_is_read(tmp_path, length):
    text = json.dumps({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).ljust(length).encode()
    (tmp_path / "x.safetensors").write_bytes(struct.pack("<Q", length) + text + bytes(4))
    assert read_header(tmp_path / "x.safetensors")["a"].shape == (1,)


# fuzzing: whatever bytes lie in a folder, loading ends soon, with a model or with one of our errors, and writes nothing

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


def files_below(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def survives(folder: Path) -> None:
    before = files_below(folder.parent)
    began = time.perf_counter()
    try:
        model, _ = load_folder(folder)
    except NkfmError:
        pass
    else:
        assert all(torch.isfinite(p).all() for p in model.parameters())
    assert time.perf_counter() - began < 5
    assert files_below(folder.parent) == before


def leaves(values: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in nested JSON values."""
    inner = values.items() if isinstance(values, dict) else enumerate(values) if isinstance(values, list) else ()
    return [path, *(place for key, value in inner for place in leaves(value, (*path, key)))]


fuzz = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@fuzz
@given(data=st.data())
def test_any_value_anywhere_in_the_configuration(whole, tmp_path_factory, data):
    folder = Path(shutil.copytree(whole, tmp_path_factory.mktemp("fuzz") / "model"))
    described = json.loads((folder / "config.json").read_text())
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(leaves(described)[1:]))
        within = described
        for key in path[:-1]:
            within = within[key]
        within[path[-1]] = data.draw(VALUES)
    (folder / "config.json").write_text(json.dumps(described))
    survives(folder)


@fuzz
@given(data=st.data(), name=st.sampled_from(["model.safetensors", "fingerprint.safetensors", "config.json"]))
def test_any_bytes_anywhere_in_the_files(whole, tmp_path_factory, data, name):
    folder = Path(shutil.copytree(whole, tmp_path_factory.mktemp("fuzz") / "model"))
    content = bytearray((folder / name).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        early = st.integers(0, min(len(content), 6000))  # most of what can go wrong is in the header
        at = data.draw(early | st.integers(0, len(content)))
        match data.draw(st.sampled_from(["replace", "insert", "cut"])):
            case "replace":
                content[at : at + 8] = data.draw(st.binary(max_size=8))
            case "insert":
                content[at:at] = data.draw(st.binary(min_size=1, max_size=16))
            case "cut":
                del content[at:]
    (folder / name).write_bytes(content)
    survives(folder)


@fuzz
@given(entry=VALUES, length=st.integers(0, 2**64 - 1) | st.none())
def test_any_header(tmp_path_factory, entry, length):
    path = tmp_path_factory.mktemp("fuzz") / "x.safetensors"
    text = json.dumps({"a": entry}).encode()
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + bytes(16))
    with pytest.raises(WeightsError):
        read_header(path)
