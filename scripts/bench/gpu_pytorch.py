#!/usr/bin/env python3
"""PyTorch on CUDA for scripts/bench/gpu.ts: a request as JSON on standard input, the time per step on standard output.

cuDNN's GRU in float32 without TF32, time first, the attention's weight taken apart, the fused Adam: the fastest way that
was found to write it (scripts/bench/sides/pytorch.py). The clock stops when the GPU has ended.
"""
import base64, json, statistics, sys, time


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
    request = json.load(sys.stdin)
    size = request['size']

    def unpack(text, shape):
        return torch.from_numpy(np.frombuffer(base64.b64decode(text), dtype='<f4').reshape(shape).copy()).cuda()

    model = Model(size).cuda()
    model.load_state_dict({name: unpack(p['data'], p['shape']) for name, p in request['parameters'].items()})
    x = unpack(request['x'], (size['B'], size['T'], size['I'])).transpose(0, 1).contiguous()
    y = unpack(request['targets'], (size['B'], size['O']))
    criterion = torch.nn.BCEWithLogitsLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)

    def steps(count):
        torch.cuda.synchronize()
        start = time.perf_counter()
        for _ in range(count):
            optimizer.zero_grad()
            criterion(model(x)[0], y).backward()
            optimizer.step()
        torch.cuda.synchronize()
        return 1000 * (time.perf_counter() - start)

    steps(20)
    count = max(1, round(request['ms'] / request['rounds'] / (steps(20) / 20)))
    times = [steps(count) / count for _ in range(request['rounds'])]
    about = f'{torch.cuda.get_device_name()}, torch {torch.__version__}, cuDNN {torch.backends.cudnn.version()}, no TF32'
    print(json.dumps(dict(ms=statistics.median(times), about=about)))


main()
