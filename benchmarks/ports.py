"""Models ported from braindecode's definitions beside braindecode itself: equal outputs, equal sizes, time.

    python benchmarks/ports.py --peers PYTHON [--peers-path FOLDERS] [--model NAME] [--rounds 5]

PYTHON is an interpreter with braindecode; FOLDERS go into its PYTHONPATH. Each class of theirs gets random weights of unit
scale and a random input; its state dict goes through our converter, and the same input through our model. Each model is
run twice: tiny, and at its published size. deviation: largest difference of a feature over the largest feature; the bar is
1e-5, in float32. parameters: without classifiers and what is only for pretraining. time: processor time of one thread, best
of `--rounds` forward passes of each, ours over theirs.

`--goldens DIR` writes the tiny cases to DIR/NAME, for the tests.
"""

import argparse
import importlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

import neurokit_fm as nkfm
from neurokit_fm.batch.series import SeriesStream

MONTAGE = [
    "Fp1",
    "Fp2",
    "F7",
    "F3",
    "Fz",
    "F4",
    "F8",
    "FC1",
    "FC2",
    "T7",
    "C3",
    "Cz",
    "C4",
    "T8",
    "CP1",
    "CP2",
    "P7",
    "P3",
    "Pz",
    "P4",
    "P8",
    "Oz",
]
SMALL_JEPA = {
    "feature_encoder__conv_layers_spec": [[4, 32, 8], [8, 4, 4], [8, 4, 4]],
    "pos_encoder__spat_dim": 6,
    "pos_encoder__time_dim": 2,
    "transformer__d_model": 8,
    "transformer__num_encoder_layers": 1,
    "transformer__num_decoder_layers": 0,
    "transformer__nhead": 2,
}
PLACES = {  # of the template; the largest coordinate is the largest of the pretraining
    "Oz": [0.0001076, -0.114892, 0.014657],
    "X1": [-0.03, 0.08, 0.05],
    "X2": [0.07, -0.02, -0.04],
    "Cz": [0.0004009, -0.009167, 0.100244],
}
CASES = {
    "cbramod": {
        "class": "CBraMod",
        "package": "nkfm_cbramod",
        "sfreq": 200,
        "left_out": ["final_layer", "patch_embedding.mask_encoding"],
        "tiny": {
            "shape": [2, 5, 600],
            "arguments": {
                "n_chans": 5,
                "n_times": 600,
                "n_layer": 1,
                "nhead": 4,
                "dim_feedforward": 40,
                "emb_dim": 16,
                "channels_kernel_stride_padding_norm": [[4, 49, 25, 24, [2, 4]], [4, 3, 1, 1, [2, 4]]],
            },
        },
        "full": {"shape": [8, 22, 800], "arguments": {"n_chans": 22, "n_times": 800}},
    },
    "biot": {
        "class": "BIOT",
        "package": "nkfm_biot",
        "sfreq": 200,
        "left_out": ["final_layer"],
        "tiny": {
            "shape": [2, 3, 400],
            "arguments": {
                "n_chans": 4,
                "n_times": 400,
                "embed_dim": 8,
                "num_heads": 2,
                "num_layers": 2,
                "hop_length": 80,
            },
        },
        "full": {"shape": [8, 18, 2000], "arguments": {"n_chans": 18, "n_times": 2000}},
    },
    "eegpt": {
        "class": "EEGPT",
        "package": "nkfm_eegpt",
        "sfreq": 256,
        "left_out": ["final_layer"],
        "tiny": {
            "shape": [2, 4, 160],
            "names": ["Cz", "FP1", "PO5", "Oz"],
            "arguments": {
                "n_times": 160,
                "chan_proj_type": "none",
                "embed_dim": 16,
                "embed_num": 3,
                "depth": 2,
                "num_heads": 2,
            },
        },
        "full": {
            "shape": [8, 20, 1024],
            "names": [name for name in MONTAGE if name not in ("T7", "T8")],
            "arguments": {"n_times": 1024, "chan_proj_type": "none"},
        },
    },
    "labram": {
        "class": "Labram",
        "package": "nkfm_labram",
        "sfreq": 200,
        "left_out": ["final_layer"],
        "names_in_call": True,
        "tiny": {
            "shape": [2, 4, 120],
            "names": ["Cz", "FTT9h", "FP1-F7", "Fpz"],
            "arguments": {
                "n_chans": 4,
                "n_times": 120,
                "patch_size": 40,
                "conv_out_channels": 4,
                "num_layers": 2,
                "num_heads": 2,
            },
        },
        "full": {"shape": [8, 22, 800], "names": MONTAGE, "arguments": {"n_chans": 22, "n_times": 800}},
    },
    "signaljepa": {
        "class": "SignalJEPA",
        "package": "nkfm_signaljepa",
        "sfreq": 128,
        "left_out": ["transformer.decoder"],
        "tiny": {
            "shape": [2, 4, 520],
            "names": ["Cz", "FP1", "TTP7h", "Oz"],
            "arguments": {
                "n_times": 520,
                **SMALL_JEPA,
                "channel_embedding": "pretrain_aligned",
            },
        },
        "full": {
            "shape": [8, 22, 2048],
            "names": MONTAGE,
            "arguments": {"n_times": 2048, "channel_embedding": "pretrain_aligned"},
        },
    },
    "signaljepa_places": {
        "class": "SignalJEPA",
        "package": "nkfm_signaljepa",
        "sfreq": 128,
        "left_out": ["transformer.decoder", "pos_encoder"],
        "untouched": ["pos_encoder"],  # as computed from positions
        "dropped": ["pos_encoder.pos_encoder_spat.weight"],
        "tiny": {
            "shape": [2, 4, 520],
            "names": list(PLACES),
            "positions": list(PLACES.values()),
            "arguments": {"n_times": 520, **SMALL_JEPA},
        },
        "full": {
            "shape": [8, 4, 2048],
            "names": list(PLACES),
            "positions": list(PLACES.values()),
            "arguments": {"n_times": 2048},
        },
    },
}


def peer(case, size, options, folder):
    """What braindecode made of a case: its tensors, and what it printed."""
    values = {
        **case[size],
        **{key: case.get(key, []) for key in ("class", "left_out", "untouched")},
        "rounds": options.rounds,
        "seed": 0,
    }
    values["arguments"] = {"n_outputs": 2, "sfreq": case["sfreq"], **values["arguments"]}
    if "names" in values and case.get("names_in_call"):
        values["options"] = {"ch_names": values["names"]}
    elif "names" in values:
        places = values.get("positions") or [[0, 0, 0.1]] * len(values["names"])
        channels = zip(values["names"], places, strict=True)
        values["arguments"]["chs_info"] = [{"ch_name": name, "loc": place} for name, place in channels]
    (folder / "case.json").write_text(json.dumps(values))
    script = Path(__file__).parent / "peers" / "ports.py"
    done = subprocess.run(
        [options.peers, script, folder / "case.json", folder / "out.safetensors"],
        env={**os.environ, "PYTHONPATH": options.peers_path},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return load_file(folder / "out.safetensors"), json.loads(done.stdout.splitlines()[-1])


def batch_of(case, size, x):
    known = {key: case[size].get(key) for key in ("names", "positions")}
    stream = SeriesStream.from_arrays(x, sfreq=case["sfreq"], frame="template", **known)
    return nkfm.Batch(streams={"eeg": stream})


@torch.no_grad()
def compare(name, size, options):
    case = CASES[name]
    with tempfile.TemporaryDirectory() as folder:
        tensors, theirs = peer(case, size, options, Path(folder))
    for key in case.get("dropped", []):
        del tensors[f"model.{key}"]
    state = {key.removeprefix("model."): value for key, value in tensors.items() if key.startswith("model.")}
    model = importlib.import_module(f"{case['package']}.convert").from_reference(theirs["config"], state)
    batch, seconds = batch_of(case, size, tensors["input"]), []
    for _ in range(options.rounds):
        start = time.process_time()
        found = model(batch)
        seconds.append(time.process_time() - start)
    pairs = {"output.features": found.tokens, "output.cls_token": found.extras.get("pooled")}
    if tensors["output.features"].ndim == 2:  # a summary only
        pairs = {"output.features": found.pooled()}
    deviation = max(
        float((ours.reshape(tensors[key].shape) - tensors[key]).abs().max() / tensors[key].abs().max())
        for key, ours in pairs.items()
        if key in tensors
    )
    mine = model.count_parameters()
    ratio = min(seconds) / theirs["seconds"]
    print(
        f"{name:18} {size:5} {case[size]['shape']!s:16} {deviation:10.1e} {mine:12,} {theirs['parameters']:12,} "
        f"{1e3 * min(seconds):9.1f} {1e3 * theirs['seconds']:9.1f} {ratio:6.2f}",
        flush=True,
    )
    if size == "tiny" and options.goldens:
        write_golden(options.goldens / name, case, tensors, theirs)
    return deviation < 1e-5 and mine == theirs["parameters"]


def write_golden(folder, case, tensors, theirs):
    """State dict and input in half precision, which holds them exactly; output in single."""
    folder.mkdir(parents=True, exist_ok=True)
    stored = {
        key: value.half()
        if not key.startswith("output") and torch.equal(value, value.half().to(value.dtype))
        else value
        for key, value in tensors.items()
    }
    save_file(stored, folder / "tiny.safetensors")
    about = {
        "source": f"braindecode.models.{case['class']}, random weights",
        "config": theirs["config"],
        "sfreq": case["sfreq"],
        "names": case["tiny"].get("names"),
        "positions": case["tiny"].get("positions"),
        "parameters": theirs["parameters"],
        "tolerance": {"atol": 1e-5, "rtol": 1e-5},
    }
    (folder / "tiny.json").write_text(json.dumps(about, indent=1) + "\n")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--peers", help="interpreter with braindecode")
    parser.add_argument("--peers-path", default="", help="its PYTHONPATH")
    parser.add_argument("--model", choices=CASES, action="append")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--goldens", type=Path)
    options = parser.parse_args()
    if options.peers is None:
        print("nothing to compare with: give --peers PYTHON, an interpreter with braindecode")
        return
    torch.set_num_threads(1)
    print(f"{'model':18} {'size':5} {'input':16} {'deviation':>10} {'parameters':>12} {'theirs':>12} ", end="")
    print(f"{'ms':>9} {'theirs':>9} {'ratio':>6}")
    fine = [compare(name, size, options) for name in options.model or CASES for size in ("tiny", "full")]
    sys.exit(not all(fine))


if __name__ == "__main__":
    main()
