"""One attention for dense, padded and packed tokens."""

from __future__ import annotations

import pytest
import torch

from neurokit_fm.nn.attention import Runs, attend
from neurokit_fm.nn.blocks import FeedForward, Transformer, TransformerConfig
from neurokit_fm.nn.norms import RMSNorm
from neurokit_fm.nn.pooling import AttentionPool

LENGTHS = (5, 1, 9, 3)
CLOSE = {"atol": 1e-5, "rtol": 1e-5}  # float32, other order of sums


def padded(width: int = 16) -> tuple[torch.Tensor, torch.Tensor]:
    x = torch.randn((len(LENGTHS), max(LENGTHS), width), generator=torch.Generator().manual_seed(0))
    mask = torch.arange(max(LENGTHS))[None] < torch.tensor(LENGTHS)[:, None]
    return x.masked_fill(~mask[..., None], 1e6), mask


def transformer(**changes: object) -> Transformer:
    torch.manual_seed(0)
    return Transformer(TransformerConfig(**{"width": 16, "depth": 3, "heads": 2, "head_dim": 8, **changes})).eval()


def test_attention_equals_its_formula():
    q, k, v = torch.randn((3, 2, 4, 6, 8), generator=torch.Generator().manual_seed(0))
    expected = (q @ k.transpose(-1, -2) / 8**0.5).softmax(-1) @ v
    torch.testing.assert_close(attend(q, k, v), expected, **CLOSE)


def test_runs_end_at_rows_and_segments():
    runs = Runs.of(torch.tensor([[0, 0, 1, -1], [1, 1, 2, 2]]))
    assert runs.lengths == (2, 1, 1, 2, 2)
    assert runs.offsets.tolist() == [0, 2, 3, 4, 6, 8]


def test_a_row_without_real_keys_gives_zero():
    q, k, v = torch.randn((3, 2, 1, 3, 4), generator=torch.Generator().manual_seed(0))
    out = attend(q, k, v, key_mask=torch.tensor([[True, True, False], [False, False, False]]))
    assert torch.isfinite(out).all()
    assert not out[1].any()


@pytest.mark.parametrize("norm", ["pre", "peri"])
def test_packed_padded_and_single_sequences_give_the_same_numbers(norm):
    model, (x, mask) = transformer(norm=norm), padded()
    with torch.no_grad():
        packed, _ = model(x, mask)
        masked, _ = model(x, mask, pack=False)
        for b, length in enumerate(LENGTHS):
            alone, _ = model(x[b : b + 1, :length])
            torch.testing.assert_close(packed[b, :length], alone[0], **CLOSE)
            torch.testing.assert_close(masked[b, :length], alone[0], **CLOSE)


def test_a_gated_feed_forward_equals_its_formula():
    mlp = FeedForward(TransformerConfig(width=16))
    x = torch.randn((2, 3, 16), generator=torch.Generator().manual_seed(0))
    value, gate = mlp.up(x).chunk(2, dim=-1)
    torch.testing.assert_close(mlp(x), mlp.down(value * torch.nn.functional.gelu(gate)), **CLOSE)


def test_a_gated_feed_forward_goes_through_hooks_and_adapters():
    mlp, x = FeedForward(TransformerConfig(width=16)), torch.ones(1, 2, 16)
    seen = []
    handle = mlp.up.register_forward_hook(lambda module, given, out: seen.append(out))
    plain = mlp(x)
    assert len(seen) == 1
    handle.remove()
    mlp.up = torch.nn.Sequential(mlp.up, torch.nn.Identity())  # stands for an adapter
    torch.testing.assert_close(mlp(x), plain, **CLOSE)


def test_packed_and_padded_gradients_are_the_same():
    x, mask = padded()
    grads = []
    for pack in (True, False):
        model = transformer()
        out, _ = model(x, mask, pack=pack)
        out[mask].square().sum().backward()
        grads.append(torch.cat([p.grad.flatten() for p in model.parameters()]))
    assert (grads[0] - grads[1]).norm() / grads[0].norm() < 1e-5


def test_changing_one_segment_changes_no_other():
    model, (x, mask) = transformer(), padded()
    other = x.clone()
    other[2] += 1.0
    with torch.no_grad():
        before, after = model(x, mask)[0], model(other, mask)[0]
    assert torch.equal(before[[0, 1, 3]], after[[0, 1, 3]])
    assert not torch.equal(before[2], after[2])


def test_all_layers_are_the_input_and_every_blocks_output():
    model, (x, mask) = transformer(), padded()
    with torch.no_grad():
        out, layers = model(x, mask, keep_layers=True)
    assert len(layers) == 4
    torch.testing.assert_close(layers[0][mask], x[mask])
    assert torch.equal(layers[-1], out)


def test_a_transformer_runs_on_the_meta_device():
    with torch.device("meta"):
        model = Transformer(TransformerConfig(width=16, depth=1, heads=2, head_dim=8))
        out, _ = model(torch.zeros(2, 3, 16), torch.ones(2, 3, dtype=torch.bool))
    assert out.shape == (2, 3, 16)


def test_rms_norm_equals_its_formula_and_keeps_the_dtype():
    x = torch.randn((3, 8), generator=torch.Generator().manual_seed(0))
    norm = RMSNorm(8)
    torch.testing.assert_close(norm(x), x / (x.square().mean(-1, keepdim=True) + 1e-6).sqrt())
    assert norm(x.bfloat16()).dtype == torch.bfloat16


def test_attention_pool_of_layers_equals_the_pool_of_their_concatenation():
    pool, (x, mask) = AttentionPool(16), padded()
    x = x.masked_fill(~mask[..., None], 0)
    both = pool([x, 2 * x], mask)
    joined = pool(torch.cat([x, 2 * x], dim=1), torch.cat([mask, mask], dim=1))
    torch.testing.assert_close(both, joined, **CLOSE)
    assert not pool(x, torch.zeros_like(mask)).any()


def test_a_batch_without_any_real_token_comes_out_finite():
    x, mask = padded()
    for none in (torch.zeros_like(mask), mask[:, :0]):
        out, _ = transformer()(x[:, : none.shape[1]], none)
        assert out.shape == (len(LENGTHS), none.shape[1], 16)
        assert torch.isfinite(out).all()
