"""Pooling tokens over places."""

import torch

from neurokit_fm.nn.blocks import Transformer, TransformerConfig
from neurokit_fm.nn.pooling import pool_at


def test_a_place_takes_the_mean_of_the_tokens_around_it_over_time() -> None:
    tokens = torch.arange(8.0).reshape(1, 4, 2)
    where = torch.tensor([[0.0, 0.0, 0.1], [0.0, 0.0, 0.1], [0.1, 0.0, 0.0], [0.0, 0.0, 0.1]])
    coords = torch.cat([where, torch.arange(4.0)[:, None]], dim=1)[None]
    mask = torch.tensor([[True, True, True, False]])
    places = torch.tensor([[0.0, 0.0, 0.1], [0.1, 0.0, 0.0]])
    found = pool_at(tokens, mask, coords, places, radius_m=0.01)  # 14 cm apart: nothing crosses over
    torch.testing.assert_close(found, torch.tensor([[[1.0, 2.0], [4.0, 5.0]]]))


def test_tokens_at_unknown_places_and_padding_count_for_nothing() -> None:
    tokens = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(0))
    coords = torch.zeros(2, 3, 4)
    coords[0, 1, :3] = torch.nan
    mask = torch.tensor([[True, True, False], [False, False, False]])
    tokens[~mask] = 1e6
    found = pool_at(tokens, mask, coords, torch.zeros(1, 3))
    torch.testing.assert_close(found[0, 0], tokens[0, 0])
    assert (found[1] == 0).all()


def test_a_local_start_makes_keys_equal_to_queries_and_the_usual_one_does_not() -> None:
    for start, equal, std in (("small", False, 0.02), ("local", True, 64**-0.5)):
        config = TransformerConfig(width=64, depth=2, heads=2, head_dim=32, start=start)  # type: ignore[arg-type]
        for block in Transformer(config).blocks:
            q, k, v = block.attention.qkv.weight.chunk(3)
            assert torch.equal(q, k) is equal
            assert abs(float(v.detach().std()) / std - 1) < 0.1
