"""The python blocks of every guide run, page by page in one namespace; one that cannot says why."""

import re
from pathlib import Path

import pytest
import torch

import neurokit_fm as nkfm
from neurokit_fm.config import read_config
from neurokit_fm.testing import fake_recording

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"(?:<!-- not run: (?P<reason>.+?) -->\n)?```python\n(?P<code>.*?)```", re.DOTALL)
EXECUTED_WHOLE = {"write-a-plugin.md"}  # with its commands and files, in tests/external


def guides() -> list[Path]:
    pages = [p for p in sorted((ROOT / "docs").rglob("*.md")) if not {"_build", "generated"} & {*p.parts}]
    return [
        page for page in pages if BLOCK.search(page.read_text(encoding="utf-8")) and page.name not in EXECUTED_WHOLE
    ]


@pytest.fixture
def somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with what the pages take for granted: a recording and a model."""
    monkeypatch.chdir(tmp_path)
    write_recording(tmp_path / "sub-01_task-rest_eeg.edf")
    write_model(tmp_path / "my-model")
    return tmp_path


def write_recording(path: Path) -> None:
    edfio = pytest.importorskip("edfio")
    series = fake_recording(n_channels=8, duration_s=20)["eeg"]
    signals = [
        edfio.EdfSignal(1e6 * row, 200, label=name, physical_dimension="uV")
        for name, row in zip(series.channels.name, series.read().astype(float), strict=True)
    ]
    edfio.Edf(signals).write(path)


def write_model(folder: Path) -> None:
    torch.manual_seed(0)
    reve = nkfm.models.load("reve")
    small = {"width": 32, "depth": 1, "heads": 2, "head_dim": 16, "freqs": 3}
    contract = nkfm.SeriesContract(sfreq=200, window_s=10, band=(0.5, 40), clip=15, frame="template")
    reve(read_config(reve.config_class, small), contract).save_pretrained(folder)


@pytest.mark.parametrize("page", guides(), ids=lambda page: page.stem)
def test_the_blocks_of_a_guide_run(page: Path, somewhere: Path) -> None:
    text = page.read_text(encoding="utf-8")
    namespace: dict[str, object] = {}
    for found in BLOCK.finditer(text):
        if found["reason"] is None:
            line = text.count("\n", 0, found.start("code"))
            exec(compile("\n" * line + found["code"], str(page), "exec"), namespace)  # noqa: S102 - our own pages


def test_the_six_lines_of_the_readme_run(somewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = (Path(__file__).parent / "six_lines.py").read_text(encoding="utf-8")
    exec(compile(code, "six_lines.py", "exec"), {})  # noqa: S102 - our own page
    assert "cannot" not in capsys.readouterr().out
    made = nkfm.Embedding.load(somewhere / "sub-01.h5")
    assert made.values.shape == (20, 128)
    assert len(made.channels) == 8


@pytest.mark.parametrize("script", sorted((ROOT / "docs" / "examples").glob("plot_*.py")), ids=lambda path: path.stem)
def test_examples_compile_and_use_public_names_only(script: Path) -> None:
    """They run when the pages are built; here they are only read."""
    code = script.read_text(encoding="utf-8")
    compile(code, str(script), "exec")
    assert set(re.findall(r"\bnkfm\.(\w+)", code)) <= set(nkfm.__all__)
