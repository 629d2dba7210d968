"""The vector quantiser: look-up, gradients, running means, starts and masks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from safetensors.torch import load_file

from neurokit_fm.errors import ConfigError, WeightsError
from neurokit_fm.nn.quantize import Codebook, Quantizer, QuantizerConfig, carry_gradient, code_use

GOLDEN = Path(__file__).parents[1] / "goldens" / "brainomni" / "vq_ema_and_rotation"


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def quantizer(wide: int = 4, /, **settings: object) -> Quantizer:
    torch.manual_seed(0)
    return Quantizer(wide, QuantizerConfig(**{"size": 8, "width": 4, "start": "random", **settings}))


@pytest.mark.golden
@pytest.mark.parametrize("reference", [False, True])
def test_a_step_of_the_running_means_equals_the_published_one(reference):
    t = load_file(GOLDEN.with_suffix(".safetensors"))
    about = json.loads(GOLDEN.with_suffix(".json").read_text())
    close = {"atol": about["tolerance"]["atol"], "rtol": about["tolerance"]["rtol"]}
    q = quantizer(8, size=12, width=8, gradient="rotation", reference=reference)
    (book,) = q.books
    book.load_state_dict({key.removeprefix("input.state."): v for key, v in t.items() if "input.state" in key})
    made = q(t["input.x"].clone().requires_grad_(), learn=True)
    assert made.codes[:, 0].equal(t["output.indices"].long())
    torch.testing.assert_close(made.values, t["output.quantized"], **close)
    assert book.embed.equal(t["input.state.embed"]), "nothing moves before the backward pass"
    made.values.sum().backward()
    for key, value in book.state_dict().items():
        torch.testing.assert_close(value, t[f"output.state.{key}"], **close)


@pytest.mark.golden
def test_the_rotation_trick_equals_the_published_one():
    t = load_file(GOLDEN.with_suffix(".safetensors"))
    y = t["input.rotate.src"].requires_grad_()
    out = carry_gradient(y, t["input.rotate.tgt"], "rotation")
    (grad,) = torch.autograd.grad(out, y, t["input.rotate.cotangent"])
    torch.testing.assert_close(out, t["output.rotate.value"], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(grad, t["output.rotate.grad_src"], atol=1e-5, rtol=1e-4)


def test_the_nearest_code_is_found_and_of_equals_the_lowest():
    q = quantizer(size=40)
    book, y = q.books[0], draw(70, 4)
    book.embed[20:] = book.embed[:20]
    expected = (y[:, None] - book.embed[:20]).square().sum(-1).argmin(1)
    assert book.nearest(y).equal(expected)


def test_cosine_compares_directions():
    q = quantizer(distance="cosine")
    y = draw(50, 4)
    book = q.books[0]
    similar = torch.nn.functional.normalize(y, dim=-1) @ torch.nn.functional.normalize(book.embed, dim=-1).T
    made = q(100 * y)
    assert made.codes[:, 0].equal(similar.argmax(1))
    torch.testing.assert_close(made.values.norm(dim=-1), torch.ones(50))


def test_levels_quantise_what_is_left_and_codes_decode_to_the_values():
    q = quantizer(6, levels=3, commitment=0.5)
    x = draw(2, 5, 6)
    made = q(x)
    assert made.codes.shape == (2, 5, 3)
    torch.testing.assert_close(q.decode(made.codes), made.values)
    first = q.books[0].project_out(q.books[0].embed[made.codes[..., 0]])
    second = q.books[1]
    assert second.nearest(second.project_in((x - first).flatten(0, 1))).view(2, 5).equal(made.codes[..., 1])


def test_losses_pull_vectors_and_learned_codes_towards_each_other():
    q = quantizer(table="learned", commitment=0.3)
    x = draw(9, 4).requires_grad_()
    made = q(x)
    torch.testing.assert_close(made.commitment, 0.3 * (x - made.values).square().mean())
    torch.testing.assert_close(made.codebook, (x - made.values).square().mean())
    made.commitment.backward()
    assert not bool(q.books[0].embed.grad.any())
    torch.testing.assert_close(x.grad, 0.6 * (x - made.values).detach() / x.numel())
    made = q(x.detach())
    made.codebook.backward()
    assert float(q.books[0].embed.grad.abs().sum()) > 0


def test_straight_through_copies_the_gradient():
    q = quantizer()
    x = draw(9, 4).requires_grad_()
    (q(x).values * draw(9, 4, seed=1)).sum().backward()
    assert x.grad.equal(draw(9, 4, seed=1))


@pytest.mark.parametrize("table", ["ema", "learned"])
def test_masked_vectors_count_nowhere(table):
    q = quantizer(table=table, levels=2)
    x, mask = draw(3, 6, 4), torch.arange(6) < torch.tensor([[6], [4], [1]])
    clean, dirty = (q(x.masked_fill(~mask[..., None], filling), mask) for filling in (0.0, 1e6))
    alone = q(x[mask])
    for a, b in ((clean, dirty), (clean, alone)):
        torch.testing.assert_close(a.commitment, b.commitment)
        torch.testing.assert_close(a.codebook, b.codebook)
    assert clean.codes[mask].equal(alone.codes)
    assert clean.codes.equal(dirty.codes)
    assert bool((clean.codes[~mask] == -1).all())
    assert not bool(clean.values[~mask].any())
    assert q.decode(clean.codes).equal(clean.values)


def test_masked_vectors_do_not_move_the_running_means():
    mask = torch.arange(20) < 12
    states = []
    for x, real in ((draw(20, 4), mask), (draw(20, 4)[mask], None)):
        q = quantizer(dead_below=0.1)
        q(x.requires_grad_(), real, learn=True).values.sum().backward()
        states.append(q.state_dict())
    for key, value in states[0].items():
        torch.testing.assert_close(value, states[1][key])


def test_an_empty_table_is_an_error_until_something_was_learned():
    q = quantizer(start="kmeans", size=3, dead_below=0.0)
    centres = torch.tensor([[5.0, 0, 0, 0], [0, 5, 0, 0], [0, 0, 0, 5]])
    x = (centres.repeat(40, 1) + 0.1 * draw(120, 4)).requires_grad_()
    with pytest.raises(WeightsError, match="codebook is empty"):
        q(x)
    made = q(x, learn=True, generator=torch.Generator().manual_seed(1))
    found = {tuple(row) for row in q.books[0].embed.round().int().tolist()}
    assert found == {(5, 0, 0, 0), (0, 5, 0, 0), (0, 0, 0, 5)}
    assert q.books[0].cluster_size.tolist() == [40, 40, 40]
    before = q.books[0].embed.norm()
    made.values.sum().backward()
    torch.testing.assert_close(q.books[0].embed.norm(), before, rtol=0.01, atol=0)


def test_the_reference_mode_shrinks_the_codes_as_published():
    q = quantizer(start="kmeans", reference=True)
    x = draw(400, 4).requires_grad_()
    made = q(x, learn=True)
    before = q.books[0].embed.norm(dim=1)
    made.values.sum().backward()
    assert float((q.books[0].embed.norm(dim=1) / before).max()) < 0.1


def test_k_means_of_too_few_vectors_leaves_a_full_table():
    q = quantizer(start="kmeans")
    q(draw(3, 4).requires_grad_(), learn=True)
    assert len(q.books[0].embed.unique(dim=0)) == 8


def test_a_dead_code_keeps_the_vector_it_is_moved_to():
    x = draw(64, 4)
    q = quantizer()
    q.books[0].embed[3] = q.books[0].embed_avg[3] = 1e3  # nobody chooses it
    q(x.clone().requires_grad_(), learn=True).values.sum().backward()
    assert float((x - q.books[0].embed[3]).abs().amax(1).min()) < 1e-6
    assert float(q.books[0].cluster_size.min()) >= 2
    old = quantizer(reference=True)
    old.books[0].embed[3] = old.books[0].embed_avg[3] = 1e3
    old(x.clone().requires_grad_(), learn=True).values.sum().backward()
    assert float(old.books[0].embed[3].min()) > 100


def test_a_loss_that_is_only_looked_at_changes_nothing():
    q = quantizer()
    before = {key: value.clone() for key, value in q.state_dict().items()}
    for x in (draw(20, 4).requires_grad_(), draw(20, 4)):
        q(x, learn=True)
    assert all(value.equal(before[key]) for key, value in q.state_dict().items())


def test_codes_are_the_same_under_autocast():
    q = quantizer(levels=2)
    x = draw(200, 4)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert q(x).codes.equal(q(x).codes)
        low = q(x)
    assert low.codes.equal(q(x).codes)
    assert q(x.bfloat16()).values.dtype == torch.bfloat16


def test_code_use_counts_codes_that_are_there():
    codes = torch.tensor([[0, 1], [0, 2], [3, 3], [3, 0], [-1, -1]])
    share, perplexity = code_use(codes, 4)
    torch.testing.assert_close(share, torch.tensor([0.5, 1.0]))
    torch.testing.assert_close(perplexity, torch.tensor([2.0, 4.0]))


def test_processes_add_their_counts_up(tmp_path):
    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/meeting", rank=0, world_size=1)
    try:
        one = quantizer(start="kmeans")
        one(draw(64, 4).requires_grad_(), learn=True).values.sum().backward()
    finally:
        dist.destroy_process_group()
    other = quantizer(start="kmeans")
    other(draw(64, 4).requires_grad_(), learn=True).values.sum().backward()
    assert one.books[0].embed.equal(other.books[0].embed)


def test_sizes_must_be_positive():
    with pytest.raises(ConfigError, match="positive"):
        QuantizerConfig(size=0)


def test_a_table_of_another_width_is_projected():
    assert isinstance(Codebook(4, QuantizerConfig(width=4)).project_in, torch.nn.Identity)
    assert Codebook(6, QuantizerConfig(width=4)).project_out.weight.shape == (6, 4)


def test_a_quantiser_in_half_precision_gives_values_of_that_type():
    q = quantizer(6, levels=2).bfloat16()
    made = q(draw(5, 6).bfloat16())
    assert made.values.dtype == torch.bfloat16
    assert q.decode(made.codes).dtype == torch.bfloat16
