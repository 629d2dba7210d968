"""What an import loads, looked at in fresh interpreters."""

import importlib.util
import subprocess
import sys

import pytest

from neurokit_fm.plugins import BUILT_IN

HEAVY = {"numpy", "torch", "mne", "h5py", "scipy", "huggingface_hub", "sklearn", "matplotlib"}


def loaded_by(code: str) -> set[str]:
    """Top-level modules in `sys.modules` when the interpreter that ran `code` ends."""
    script = f"import atexit, sys\natexit.register(lambda: print('MODULES', *sys.modules))\n{code}"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("MODULES ")]
    return {name.partition(".")[0] for name in line.split()[1:]}


def test_importing_the_package_loads_nothing_heavy() -> None:
    loaded = loaded_by("import neurokit_fm")
    assert "neurokit_fm" in loaded
    assert not loaded & HEAVY


def test_every_plugin_module_is_light() -> None:
    present = [
        name for name in BUILT_IN if (importlib.util.find_spec(name) and importlib.util.find_spec(f"{name}.plugin"))
    ]
    assert present
    loaded = loaded_by("\n".join(f"import {name}.plugin" for name in present))
    assert set(present) <= loaded
    assert not loaded & HEAVY


@pytest.mark.parametrize("line", ["['list']", "['list', '--markdown']", "['--help']", "['--version']"])
def test_listing_loads_nothing_heavy(line: str) -> None:
    loaded = loaded_by(f"from neurokit_fm.cli.main import main\nmain({line})")
    assert "click" in loaded
    assert not loaded & HEAVY


def test_data_classes_do_without_torch_and_mne() -> None:
    loaded = loaded_by("import neurokit_fm as nkfm\nnkfm.Recording, nkfm.TimeSeries, nkfm.Dataset, nkfm.read")
    assert "numpy" in loaded
    assert not loaded & {"torch", "mne", "scipy", "h5py"}
