"""From what a lab wrote beside a trace to a canonical neuron, or to none; every repair is reported."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from neurokit_fm.errors import DataError
from nkfm_celegans.neurons import canonical_neurons, normal_name, slot_of


@dataclass(frozen=True)
class Labels:
    """Names of all traces of a worm.

    Attributes
    ----------
    names : tuple of str
        Unique. A canonical name, or for an unlabelled trace its number, counted from 0.
    repairs : tuple of str
        What was done to labels that could not be taken as they were.
    """

    names: tuple[str, ...]
    repairs: tuple[str, ...] = ()


def first_candidate(label: object) -> str:
    """The label of a trace as text: the first candidate of a list that is one, ``""`` for none.

    Examples
    --------
    >>> first_candidate([None, "AVAL", "AVAR"]), first_candidate(None), first_candidate(" AIY? ")
    ('AVAL', '', 'AIY?')
    """
    if isinstance(label, list | tuple):
        return next((found for found in map(first_candidate, label) if found), "")
    text = "" if label is None else str(label).strip()
    return "" if text.lower() in ("none", "nan", "[]", "---") else text


def clean_labels(
    labels: Sequence[object],
    *,
    confidence: Sequence[float] | None = None,
    order: Sequence[int] | None = None,
    reference: bool = False,
) -> Labels:
    """Name the traces of a worm.

    Unlabelled are: no label, one with other signs than letters and digits (``merge``, ``AVA/AVE``), and whatever is no
    canonical neuron (muscle, glia). A label with a question mark leaves the side open: the first neuron in sorted order
    that agrees in most letters and is not taken gets it (``AIY?`` is AIYL, the next AIYR).

    Parameters
    ----------
    labels : sequence
        One a trace: text, a list of candidates, or None.
    confidence : sequence of float, optional
        Of two traces with one label the more confident keeps it; by default, and among equals, the first.
    order : sequence of int, optional
        The order in which labels are looked at; default: that of the traces.
    reference : bool
        As published: names are matched one after the other, exact ones too, so that the second ``URADL`` of a worm
        becomes URADR. By default labels without a question mark come first, and a repeated one is unlabelled.

    Returns
    -------
    Labels
    """
    texts = [re.sub(r"^([A-Z]+)0+(?=[1-9])", r"\1", first_candidate(label)) for label in labels]
    plain = [text if re.fullmatch(r"[A-Za-z0-9]+\??", text) and text.lower() != "merge" else "" for text in texts]
    names = [str(number) for number in range(len(labels))]
    taken: set[str] = set()
    repairs: list[str] = []
    weights = [0.0] * len(labels) if confidence is None else [float(c) for c in confidence]
    turns = list(range(len(labels)) if order is None else order)
    if not reference:
        turns.sort(key=lambda i: (plain[i].endswith("?"), -weights[i]))
    for number in turns:
        label = plain[number]
        if not label or label.isdigit():
            if texts[number] and not texts[number].isdigit():
                repairs.append(f"trace {number}: label {texts[number]!r} is no name of a neuron; unlabelled")
            continue
        open_side = label.endswith("?")
        if slot_of(label.rstrip("?")) < 0 and not open_side:
            repairs.append(f"trace {number}: {label!r} is none of the 300 neurons; unlabelled")
            continue
        wanted = normal_name(label.rstrip("?"))
        exact = "" if wanted in taken else wanted
        found = _most_alike(wanted, taken) if open_side or reference else exact
        if not found or (open_side and not found.startswith(wanted)):
            repairs.append(f"trace {number}: label {label!r} is taken already; unlabelled")
            continue
        if found != label:
            repairs.append(f"trace {number}: label {label!r} read as {found}")
        names[number] = found
        taken.add(found)
    return Labels(tuple(names), tuple(repairs))


def class_labels(labels: Sequence[object]) -> Labels:
    """Name traces that are labelled by class (Leifer lab): the first ``AVA`` is AVAL, the second AVAR, others unlabelled.

    A full name given twice is unlabelled both times.
    """
    texts = [normal_name(first_candidate(label)) for label in labels]
    names = [str(number) for number in range(len(labels))]
    repairs: list[str] = []
    taken = {text for text in texts if slot_of(text) >= 0}
    for number, text in enumerate(texts):
        if not text or text.isdigit():
            continue
        if slot_of(text) >= 0:
            if texts.count(text) == 1:
                names[number] = text
            else:
                repairs.append(f"trace {number}: {text} is given {texts.count(text)} times; unlabelled")
            continue
        side = next((text + s for s in "LR" if slot_of(text + s) >= 0 and text + s not in taken), "")
        if side:
            names[number] = side
            taken.add(side)
        repairs.append(f"trace {number}: label {text!r} " + (f"read as {side}" if side else "unlabelled"))
    return Labels(tuple(names), tuple(repairs))


def sided_labels(classes: Sequence[object], is_left: Sequence[object]) -> Labels:
    """Name traces given as a class and a side (Hobert lab): 1 is left, 0 right, NaN for neurons in the midline."""
    if len(classes) != len(is_left):
        raise DataError(f"{len(classes)} neuron classes, {len(is_left)} sides")
    full = []
    for name, left in zip(classes, is_left, strict=True):
        text = first_candidate(name)
        side = str(left).strip().lower()
        full.append(text + {"1": "L", "1.0": "L", "true": "L", "0": "R", "0.0": "R", "false": "R"}.get(side, ""))
    return clean_labels(full)


def _most_alike(wanted: str, taken: set[str]) -> str:
    """The first free canonical name in sorted order with the most letters in place."""
    free = [name for name in canonical_neurons() if name not in taken]
    return max(free, key=lambda name: sum(a == b for a, b in zip(name, wanted, strict=False)), default="")
