"""The other side of `benchmarks/ports.py`, run by an interpreter that has braindecode: a class of its with random weights, and what it computes.

    python ports.py CASE.json OUT.safetensors

Reads one case, writes the state dict, the input and the output; prints the configuration, the number of parameters and
processor seconds of the forward pass as JSON. Weights and input are rounded to half precision, so that they can be stored so.
"""

import json
import sys
import time
import warnings

import torch
from safetensors.torch import save_file

warnings.filterwarnings("ignore")


def random_weights(model, seed, untouched):
    """Give every parameter values of unit scale: activations stay near 1 whatever the depth."""
    rng = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        if name.startswith(tuple(untouched)):
            continue
        noise = torch.randn(parameter.shape, generator=rng)
        if parameter.ndim > 1:
            noise /= max(1, parameter[0].numel()) ** 0.5 if "embed" not in name and "token" not in name else 1.0
        else:
            noise = 0.1 * noise + (1.0 if name.endswith("weight") or "gamma" in name else 0.0)
        parameter.data = noise.half().float()


def main(case_file, out_file):
    with open(case_file, encoding="utf-8") as file:
        case = json.load(file)
    import braindecode.models

    torch.set_num_threads(1)
    model = getattr(braindecode.models, case["class"])(**case["arguments"]).eval()
    random_weights(model, case["seed"], case["untouched"])
    x = torch.randn(case["shape"], generator=torch.Generator().manual_seed(case["seed"] + 1)).half().float()
    options = {"return_features": True, **case.get("options", {})}
    seconds = []
    with torch.no_grad():
        for _ in range(case["rounds"]):
            start = time.process_time()
            out = model(x, **options)
            seconds.append(time.process_time() - start)
    out = {f"output.{key}": value for key, value in out.items() if value is not None}
    tensors = {f"model.{key}": value for key, value in model.state_dict().items()}
    save_file({k: v.contiguous().clone() for k, v in {**tensors, "input": x, **out}.items()}, out_file)
    own = [p for name, p in model.named_parameters() if not name.startswith(tuple(case["left_out"]))]
    print(
        json.dumps(
            {
                "config": json.loads(json.dumps(model.get_config(), default=str)),
                "parameters": sum(p.numel() for p in own),
                "seconds": min(seconds),
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
