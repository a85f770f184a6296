#!/usr/bin/env python3
"""Networks of layers <-> the same modules in PyTorch: the same bits for every tensor, outputs within 1e-5, and gradients.

    python3 scripts/pytorch_networks.py

For every network of tests/networks.ts, in both directions, through .pt and .safetensors. Needs torch, numpy and deno; with
safetensors it checks those files too.
"""
import importlib.util, json, os, subprocess, sys, tempfile
import torch

SCRIPTS = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(SCRIPTS, "fixtures"))
from layers import Network, loss_of  # noqa: E402
from pytorch_roundtrip import bits, furthest, load, save  # noqa: E402

ENDINGS = [".pt"] + [".safetensors"] * (importlib.util.find_spec("safetensors") is not None)


def tensors(stored):
    kinds = dict(float=torch.float32, int=torch.int64)
    return {name: torch.tensor(t["data"], dtype=kinds[t["type"]]).reshape(t["shape"]) for name, t in stored.items()}


def results(model, case):
    """Outputs, the loss, and its gradients by parameters and inputs, as this side computes them."""
    batch = tensors(case["batch"])
    inputs = {k: v.requires_grad_() for k, v in batch.items() if v.is_floating_point() and "targets." not in k}
    outputs = model.eval()(batch)
    loss = loss_of(case["losses"], outputs, batch)
    model.zero_grad()
    loss.backward()
    return dict(outputs=dict(outputs, loss=loss), gradients={k: p.grad for k, p in model.named_parameters()},
                inputs={k: v.grad for k, v in inputs.items()})


def apart(found, expected):
    """The largest distance in each group, of gradients as a share of the largest."""
    worst = {}
    for group, arrays in found.items():
        assert set(arrays) <= set(expected[group]), (set(arrays), set(expected[group]))
        if not arrays:
            continue
        scale = 1 if group == "outputs" else max(t.abs().max().item() for t in arrays.values()) or 1
        worst[group] = max(furthest(t.detach(), expected[group][name]) / scale for name, t in arrays.items())
    return worst


def deno(folder, mode):
    command = ["deno", "run", f"--allow-read={folder}", f"--allow-write={folder}", os.path.join(SCRIPTS, "pytorch_networks.ts")]
    subprocess.run([*command, mode, folder, *ENDINGS], check=True)
    with open(os.path.join(folder, f"{mode}.json")) as file:
        return json.load(file)


def main(folder):
    torch.set_num_threads(1)
    path = lambda name: os.path.join(folder, name)
    failures, files, worst = [], 0, {}

    def compare(what, found, expected):
        for group, far in apart(found, expected).items():
            worst[group] = max(worst.get(group, 0), far)
            if not far <= 1e-5:
                failures.append(f"{what}: {group} {far} apart")

    made = deno(folder, "made")
    for i, (name, case) in enumerate(made.items()):
        for ending in ENDINGS:
            model = Network(case["network"])
            model.load_state_dict(load(path(f"{i} made{ending}")))
            compare(f"{name}, made here, {ending}", results(model, case), case)
        torch.manual_seed(i)
        own = Network(case["network"])
        with torch.no_grad():
            for p in own.parameters():
                p.mul_(1.5).add_(torch.randn_like(p) / 10)
        for ending in ENDINGS:
            save(own.state_dict(), path(f"{i} own{ending}"))
    loaded = deno(folder, "loaded")
    for i, (name, case) in enumerate(loaded.items()):
        state = load(path(f"{i} own.pt"))
        for source in ENDINGS:
            for target in ENDINGS:
                files += 1
                if bits(load(path(f"{i} from {source[1:]}{target}"))) != bits(state):
                    failures.append(f"{name}: {source} to {target}: other bits")
        own = Network(case["network"])
        own.load_state_dict(state)
        compare(f"{name}, PyTorch's", results(own, case), case)
    print(f"torch {torch.__version__}, formats {', '.join(ENDINGS)}: {len(made)} networks, {files} files come back with the same bits")
    print("furthest apart, both ways: " + ", ".join(f"{group} {far:.2g}" for group, far in worst.items()))
    for failure in failures:
        print("FAILED", failure)
    sys.exit(bool(failures))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        main(temporary)
