import json, torch, pytest
from pathlib import Path
from safetensors.torch import load_file
G=Path("/work/shared/goldens/reve")
from neurokit_fm.batch.series import SeriesStream
from neurokit_fm import Batch
from nkfm_reve.convert import from_reference,to_reference
from nkfm_pos4d.convert import from_reference as pe
def golden(n):
    d=json.loads((G/f"{n}.json").read_text()); t=load_file(G/f"{n}.safetensors")
    st={k[6:]:v for k,v in t.items() if k.startswith("model.")}
    return d,t,st
def batch(t): return Batch(streams={"eeg":SeriesStream.from_arrays(t["input.eeg"],sfreq=200,positions=t["input.positions"],frame="template")})
T=dict(atol=3e-5,rtol=1e-4)
@pytest.mark.parametrize("n",["pe4d_base_19ch","pe4d_base_64ch","pe4d_small_64ch_22patches","pe4d_large_19ch"])
def test_pe(n):
    d,t,st=golden(n); e=pe(d["config"],st)
    c=t["output.positions4d"].clone()
    torch.testing.assert_close(e.fourier(c),t["output.fourier"],**T)
    c[...,3]*=0.9
    torch.testing.assert_close(e(c),t["output.pos_embed"],**T)
@pytest.mark.parametrize("n",["forward_19ch_4s","forward_gelu_bipolar16_5s"])
def test_fwd(n):
    d,t,st=golden(n); m=from_reference(d["config"],st)
    f=m(batch(t))
    torch.testing.assert_close(f.tokens,t["output.tokens"].flatten(1,2),**T)
    torch.testing.assert_close(f.pooled(),t["output.attention_pooling"],**T)
    assert set(to_reference(m))==set(st)
    if "output.layers" in t:
        l=m.encoder(batch(t).the(SeriesStream),keep_layers=True)["layers"]
        torch.testing.assert_close(torch.stack(l),t["output.layers"],**T)
@pytest.mark.parametrize("n",["no","last","all","last_avg"])
def test_cls(n):
    d,t,st=golden(f"classifier_{n}_19ch_4s"); m=from_reference(d["config"],st)
    torch.testing.assert_close(m.predict(batch(t)),t["output.logits"],**T)
def test_mae():
    d,t,st=golden("mae_19ch_4s"); m=from_reference(d["config"],st)
    b=batch(t); idx=t["input.masked_indices"]; print(idx.shape)
    h=torch.zeros(idx.shape[0],19*4,dtype=torch.bool).scatter(1,idx,True)
    r=m.reconstruct(b,hidden=h)
    order=idx.argsort(1)
    want=torch.cat([t["output.pred_masked_patches"][i][order[i]] for i in range(len(idx))])
    torch.testing.assert_close(r.predicted,want,**T)
    torch.testing.assert_close(m.loss(b,hidden=h).total,t["output.loss_primary"].squeeze(),**T)
    m.train(); l=m.loss(b,hidden=h)
    torch.testing.assert_close(l.total,t["output.loss_total_train"].squeeze(),**T)
    torch.testing.assert_close(l.parts["secondary"],t["output.loss_secondary"].squeeze(),atol=1e-4,rtol=1e-4)
    l.total.backward()
    torch.testing.assert_close(m.mask_token.grad,t["output.grad.mask_token"],**T)
    torch.testing.assert_close(m.pool.query.grad,t["output.grad.cls_query_token"],**T)
    torch.testing.assert_close(m.encoder.encoding.learned.weight.grad,t["output.grad.encoder.mlp4d.0.weight"],**T)
def test_block():
    from nkfm_mae.masking import block_mask
    from nkfm_mae.config import MaskConfig
    for n in ["block_mask_19ch_11patches","block_mask_64ch_11patches"]:
        d=json.loads((G/f"{n}.json").read_text())
        cs=iter([c for x in d["draws"] for c in x["centres"]])
        P=torch.tensor(d["positions"]); C=len(P);S=d["n_time_patches"]
        g=block_mask(P,S,MaskConfig(legacy=True),choose=lambda cand: next(cs))
        want=torch.zeros(C*S,dtype=torch.bool); want[torch.tensor(d["reference_flat_indices"]).flatten()]=True
        assert torch.equal(g.flatten(),want)
