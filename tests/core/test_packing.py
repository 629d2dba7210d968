"""Bins, packing and unpacking."""

from __future__ import annotations

import pytest
import torch

from neurokit_fm.batch.packing import Packing, first_fit_decreasing
from neurokit_fm.errors import DataError
from neurokit_fm.tokens import Tokens

MASK = torch.tensor([[1, 1, 0, 0], [1, 1, 1, 1], [0, 0, 0, 0], [1, 0, 0, 0]], dtype=torch.bool)


def test_bins_hold_everything_once_and_never_overflow():
    lengths = torch.randint(1, 50, (200,), generator=torch.Generator().manual_seed(0)).tolist()
    bins = first_fit_decreasing(lengths, 64)
    assert sorted(i for b in bins for i in b) == list(range(200))
    assert max(sum(lengths[i] for i in b) for b in bins) <= 64
    assert sum(lengths) / (64 * len(bins)) > 0.95


def test_a_sequence_longer_than_a_row_is_refused():
    with pytest.raises(DataError, match="70 tokens does not fit a row of 64"):
        first_fit_decreasing([3, 70], 64)


@pytest.mark.parametrize("capacity", [None, 5, 7])
def test_unpacking_returns_what_was_packed(capacity):
    x = torch.randn((4, 4, 3), generator=torch.Generator().manual_seed(0))
    packing = Packing.of(MASK, capacity)
    packed = packing.pack(x)
    assert int((packing.segment >= 0).sum()) == int(MASK.sum())
    assert torch.equal(packing.unpack(packed), x * MASK[..., None])
    for b in range(4):
        assert torch.equal(packed[packing.segment == b], x[b][MASK[b]])


def test_packed_tokens_keep_their_places():
    x = torch.randn((4, 4, 3), generator=torch.Generator().manual_seed(0))
    coords, index = x.new_zeros(4, 4, 4), torch.arange(32).view(4, 4, 2)
    tokens = Tokens(values=x, mask=MASK, coords=coords, index=index)
    packed, packing = tokens.pack(6)
    assert packed.mask.sum() == MASK.sum()
    assert torch.equal(packing.unpack(packed.index)[MASK], index[MASK])


def test_kept_tokens_move_to_the_front_in_order():
    x = torch.arange(16.0).view(2, 8, 1)
    tokens = Tokens(
        values=x, mask=torch.ones(2, 8, dtype=torch.bool), coords=x.expand(2, 8, 4), index=x.long().expand(2, 8, 2)
    )
    chosen = torch.zeros(2, 8, dtype=torch.bool)
    chosen[0, [1, 5, 6]] = True
    chosen[1, [7]] = True
    kept = tokens.keep(chosen)
    assert kept.values[0, :, 0].tolist() == [1, 5, 6]
    assert kept.values[1, 0, 0] == 15
    assert kept.mask.tolist() == [[True, True, True], [True, False, False]]
