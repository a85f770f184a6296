#!/usr/bin/env python3
"""PyTorch -> Grutto -> PyTorch: the same bits for every tensor, the same logits within 1e-5, in both directions.

    python3 scripts/pytorch_roundtrip.py

Needs torch and deno; with safetensors, onnx and onnxruntime it also checks those files with their own libraries.
"""
import importlib.util, json, os, subprocess, sys, tempfile
import torch
from pytorch_model import GruAttention

have = lambda name: importlib.util.find_spec(name) is not None
SCRIPTS = os.path.dirname(os.path.abspath(__file__))
CASES = {
    f"{layers} layers{', bidirectional' if both else ''}{'' if bias else ', no bias'}{', embedding' if tokens else ''}":
        dict(inputs=5, hidden=7, outputs=3, layers=layers, bidirectional=both, bias=bias, tokens=tokens)
    for layers in (1, 2, 3) for both in (False, True) for bias in (True, False) for tokens in (0, 11)
}
BATCH, TIME = 4, 9
LENGTHS = [9, 1, 6, 3]


def bits(state):
    return {name: (list(t.shape), t.contiguous().flatten().view(torch.int32).tolist()) for name, t in state.items()}


def load(path):
    if path.endswith(".pt"):
        return torch.load(path, weights_only=True)
    from safetensors.torch import load_file
    return load_file(path)


def save(state, path):
    if path.endswith(".pt"):
        return torch.save(state, path)
    from safetensors.torch import save_file
    save_file(state, path)


def special():
    """Numbers that a careless copy changes: NaNs with messages, infinities, subnormals, -0."""
    words = [0x7fc00000, 0x7f800001, 0xffc12345, 0x7f800000, 0xff800000, 1, 0x80000000, 0x007fffff, 0x3f800000]
    return {"special": torch.tensor([w - 2 ** 32 if w >= 2 ** 31 else w for w in words], dtype=torch.int32).view(torch.float32)}


def apart(model, x, got):
    """How far PyTorch's outputs are from those that were got: of the batch as it is, and padded from its lengths on."""
    lengths = torch.tensor(LENGTHS)
    far = 0.0
    for way, said in (("full", None), ("padded", lengths)):
        logits, weights = model(x, said)
        far = max(far, furthest(logits, got[way]["logits"]), furthest(weights, got[way]["weights"]))
    # Each sequence by itself, without padding, is what the padded batch must give.
    for n, length in enumerate(LENGTHS):
        far = max(far, furthest(model(x[n:n + 1, :length])[0], torch.as_tensor(got["padded"]["logits"]).view(BATCH, -1)[n]))
    return far


def furthest(a, b):
    return (torch.as_tensor(a).flatten().double() - torch.as_tensor(b).flatten().double()).abs().max().item()


def main(folder):
    torch.set_num_threads(1)
    endings = [".pt"] + [".safetensors"] * have("safetensors")
    models, inputs = {}, {}
    for i, (name, case) in enumerate(CASES.items()):
        torch.manual_seed(i)
        model = GruAttention(**case).eval()
        with torch.no_grad():
            for p in model.parameters():
                p.mul_(2)
        shape = (BATCH, TIME) if case["tokens"] else (BATCH, TIME, case["inputs"])
        inputs[name] = torch.randint(case["tokens"], shape) if case["tokens"] else torch.randn(shape)
        models[name] = model
    for ending in endings:
        for name, model in models.items():
            save(model.state_dict(), os.path.join(folder, name + ending))
        save(special(), os.path.join(folder, "special" + ending))
    with open(os.path.join(folder, "cases.json"), "w") as file:
        json.dump({name: dict(config=CASES[name], x=inputs[name].flatten().tolist(), shape=list(inputs[name].shape), lengths=LENGTHS) for name in CASES}, file)
    subprocess.run(["deno", "run", f"--allow-read={folder}", f"--allow-write={folder}", os.path.join(SCRIPTS, "pytorch_roundtrip.ts"),
                    folder, *endings], check=True)
    with open(os.path.join(folder, "results.json")) as file:
        results = json.load(file)

    failures, files, worst = [], 0, dict(to=0.0, back=0.0, onnx=0.0)
    for name, model in {**models, "special": None}.items():
        for source in endings:
            for target in endings:
                expected = bits(model.state_dict() if model else special())
                returned = load(os.path.join(folder, f"{name} from {source[1:]}{target}"))
                files += 1
                if bits(returned) != expected:
                    failures.append(f"{name}: {source} to {target}: other bits")
    for name, model in models.items():
        with torch.no_grad():
            for source in endings:
                worst["to"] = max(worst["to"], apart(model, inputs[name], results[f"{name}{source}"]))
            # A model that was made here, with weights of its own, in PyTorch.
            for ending in endings:
                own = GruAttention(**CASES[name]).eval()
                own.load_state_dict(load(os.path.join(folder, f"{name} made here{ending}")))
                worst["back"] = max(worst["back"], apart(own, inputs[name], results[f"{name} made here"]))
        if have("onnx") and have("onnxruntime"):
            import onnx, onnxruntime
            path = os.path.join(folder, f"{name}.onnx")
            onnx.checker.check_model(onnx.load(path), full_check=True)
            session = onnxruntime.InferenceSession(path)
            x = inputs[name].int() if CASES[name]["tokens"] else inputs[name]
            got = {}
            for way, lengths in (("full", [TIME] * BATCH), ("padded", LENGTHS)):
                feeds = {"tokens" if CASES[name]["tokens"] else "x": x.numpy(), "lengths": torch.tensor(lengths, dtype=torch.int32).numpy()}
                outputs = dict(zip([o.name for o in session.get_outputs()], session.run(None, feeds)))
                got[way] = dict(logits=outputs["logits"], weights=outputs["attention_weights"])
            with torch.no_grad():
                worst["onnx"] = max(worst["onnx"], apart(model, inputs[name], got))
        else:
            worst["onnx"] = None
    print(f"torch {torch.__version__}, formats {', '.join(endings)}: {len(CASES)} models and special numbers, {files} files come back")
    print(f"logits and attention weights, full and padded, furthest apart: PyTorch's model here {worst['to']:.2g}, a model made here in PyTorch {worst['back']:.2g}")
    if worst["onnx"] is None:
        print("ONNX files are not checked: onnx and onnxruntime are not installed")
    else:
        print(f"ONNX files pass onnx.checker; PyTorch's model in ONNX Runtime {worst['onnx']:.2g}")
    failures += [f"{what}: {far} apart" for what, far in worst.items() if far is not None and not far <= 1e-5]
    for failure in failures:
        print("FAILED", failure)
    sys.exit(bool(failures))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        main(temporary)
