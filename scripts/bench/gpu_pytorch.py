#!/usr/bin/env python3
"""PyTorch on CUDA for scripts/bench/gpu.ts: a request as a line of JSON on standard input, answered by what it runs on and the
losses of the first steps; then a round for each line that comes, answered by its milliseconds per step.

cuDNN's GRU in float32 without TF32, time first, the attention's weight taken apart, the fused Adam: the fastest way that
was found to write it (scripts/bench/sides/pytorch.py). The clock stops when the GPU has ended.
"""
import base64, json, sys, time


def main():
    try:
        import numpy as np
        import torch
    except ImportError as error:
        sys.exit(f'no PyTorch: {error}')
    if not torch.cuda.is_available():
        sys.exit('PyTorch finds no CUDA device')
    sys.argv = sys.argv[:1]
    sys.path.insert(0, f'{sys.path[0]}/sides')
    from pytorch import Model
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    request = json.loads(sys.stdin.readline())
    size = request['size']

    def unpack(text, shape):
        return torch.from_numpy(np.frombuffer(base64.b64decode(text), dtype='<f4').reshape(shape).copy()).cuda()

    model = Model(size).cuda()
    model.load_state_dict({name: unpack(p['data'], p['shape']) for name, p in request['parameters'].items()})
    x = unpack(request['x'], (size['B'], size['T'], size['I'])).transpose(0, 1).contiguous()
    y = unpack(request['targets'], (size['B'], size['O']))
    criterion = torch.nn.BCEWithLogitsLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)

    def step():
        optimizer.zero_grad()
        loss = criterion(model(x)[0], y)
        loss.backward()
        optimizer.step()
        return loss

    def steps(count):
        torch.cuda.synchronize()
        start = time.perf_counter()
        for _ in range(count):
            step()
        torch.cuda.synchronize()
        return 1000 * (time.perf_counter() - start)

    losses = [step().item() for _ in range(request['steps'])]
    steps(20)
    count = max(1, round(request['ms'] / (steps(20) / 20)))
    about = f'{torch.cuda.get_device_name()}, torch {torch.__version__}, cuDNN {torch.backends.cudnn.version()}, no TF32'
    print(json.dumps(dict(about=about, losses=losses)), flush=True)
    for _ in sys.stdin:
        steps(min(count, 5))
        print(json.dumps(steps(count) / count), flush=True)


main()
