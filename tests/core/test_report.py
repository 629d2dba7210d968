import base64
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from neurokit_fm import Embedding, Events, Recording, SeriesContract
from neurokit_fm.data.channels import Channels
from neurokit_fm.errors import DataError
from neurokit_fm.report import Picture, Section, Table, embedding_report, write_report
from neurokit_fm.report.canvas import canvas
from neurokit_fm.testing import fake_recording

VOID = {"meta", "img", "br", "hr", "link"}
CONTRACT = SeriesContract(sfreq=100.0, window_s=1.0, min_window_s=1.0, band=(1.0, 40.0), frame="template")


class Page(HTMLParser):
    """Everything the tests look at, and whether the tags nest."""

    def __init__(self, text: str):
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.words = ""
        self.feed(text)
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.links += [v or "" for k, v in values.items() if k in ("src", "href", "srcset", "action", "data")]
        if tag == "img":
            self.images.append(values)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


def read(path: Path) -> Page:
    text = path.read_text(encoding="utf8")
    assert "<script" not in text
    assert not re.search(r"(@import|url\()", text)
    page = Page(text)
    assert all(link.startswith(("#", "data:")) for link in page.links)
    assert all(image["alt"] for image in page.images)
    for image in page.images:
        source = image["src"] or ""
        assert source.startswith("data:image/svg+xml;base64,")
        assert b"<svg" in base64.b64decode(source.partition(",")[2])
    return page


def embedded(recording: Recording, windows: int = 9, width: int = 5) -> Embedding:
    rng = np.random.default_rng(0)
    starts = np.arange(windows, dtype=float)
    return Embedding(
        values=rng.standard_normal((windows, width)).astype(np.float32),
        times=np.stack([starts, starts + 1], axis=1),
        hop_s=1.0,
        channels=recording.signals["eeg"].channels.name,
        model="made-up",
        contract=CONTRACT,
        weights="abc123",
        source=recording.title,
        steps=CONTRACT.apply(recording).info.steps,
    )


def test_a_page_needs_nothing_else_and_holds_what_it_was_given(tmp_path: Path) -> None:
    figure, axes = canvas(3, 2)
    axes.plot([0, 1], [1, 0])
    section = Section(
        title="Numbers <&>",
        text="First paragraph.\n\nSecond <script>alert(1)</script> paragraph.",
        lines=["one step", "another"],
        pictures=[Picture(figure=figure, alt="a falling line", caption="how to read it")],
        tables=[Table(header=("name", "n", "share"), rows=[("a", 12345, 0.98765), ("b", 7, float("nan"))], marked=[1])],
    )
    path = write_report(
        tmp_path / "new" / "report.html",
        [section],
        title="T",
        summary=["found it"],
        command="nkfm x",
        facts=[("seed", 3)],
    )
    page = read(path)
    for word in ("Numbers <&>", "alert(1)", "one step", "12,345", "0.988", "–", "found it", "nkfm x", "how to read it"):
        assert word in page.words
    assert page.images[0]["alt"] == "a falling line"
    for package in ("torch", "numpy", "Python", "neurokit_fm", "seed"):
        assert package in page.words


def test_the_same_figure_gives_the_same_bytes() -> None:
    def draw() -> str:
        figure, axes = canvas(3, 2)
        axes.fill_between([0, 1], [0, 1])
        return Picture(figure=figure, alt="x").source

    assert draw() == draw()


def test_a_row_of_another_length_is_an_error() -> None:
    with pytest.raises(DataError, match="a table of 2 columns got a row of 1"):
        Table(header=("a", "b"), rows=[("c",)])


def test_a_picture_without_words_is_an_error() -> None:
    with pytest.raises(DataError, match="needs an alt text"):
        Picture(figure=canvas(1, 1)[0], alt="")


@pytest.mark.parametrize(
    ("value", "text"), [(0.5, "0.500"), (1234.5, "1,234"), (12, "12"), (0.0, "0"), (1e-5, "1e-05")]
)
def test_numbers_are_written_with_three_digits(value: float, text: str) -> None:
    assert Table(header=("x",), rows=[(value,)]).cells == [[(text, True)]]


def test_the_report_of_an_embedding_tells_recording_contract_and_map(tmp_path: Path) -> None:
    recording = fake_recording(n_channels=12)
    page = read(embedding_report(embedded(recording), recording, tmp_path / "r.html", command="nkfm embed x.edf"))
    for word in (
        "fake series, seed 0",
        "12 channels",
        "pass 1 to 40 Hz",
        "resample 200 to 100 Hz",
        "abc123",
        "nkfm embed x.edf",
    ):
        assert word in page.words
    assert len(page.images) == 4  # sensors, spectrum, components, similarity
    for name in recording.signals["eeg"].channels.name:
        assert name in page.words


@pytest.mark.parametrize("windows", [1, 2, 3])
def test_a_report_of_few_windows_is_written_all_the_same(windows: int, tmp_path: Path) -> None:
    recording = fake_recording(n_channels=4)
    page = read(embedding_report(embedded(recording, windows=windows), recording, tmp_path / "r.html"))
    assert f"{windows:,} windows" in page.words


def test_a_report_without_positions_and_events_is_written_all_the_same(tmp_path: Path) -> None:
    recording = fake_recording(n_channels=3)
    made = embedded(recording)
    series = recording.signals["eeg"]
    nameless = Channels.of(["Fz", "Cz", "Pz"])
    bare = replace(recording, signals={"eeg": replace(series, channels=nameless)}, events=Events.of())
    page = read(embedding_report(made, bare, tmp_path / "r.html"))
    assert "0/3 positions" in page.words
