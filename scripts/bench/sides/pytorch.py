#!/usr/bin/env python3
"""PyTorch as a side of the benchmarks: see scripts/bench/protocol.ts.

    python3 pytorch.py [--plain]

The model is written in the way that was found the fastest: time first, the attention's weight taken apart so that
the query is multiplied once per sequence, the fused Adam. `--plain` is the way it is usually written: batch first,
query and outputs joined, the default Adam.
"""
import base64, json, resource, sys, time
import numpy as np
import torch
from torch import nn

PLAIN = '--plain' in sys.argv[1:]


def unpack(text, shape):
    return torch.from_numpy(np.frombuffer(base64.b64decode(text), dtype='<f4').reshape(shape).copy())


def pack(tensor):
    return base64.b64encode(tensor.detach().contiguous().numpy().astype('<f4').tobytes()).decode()


class Attention(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.attn = nn.Linear(2 * size, size)
        self.v = nn.Linear(size, 1, bias=False)

    def forward(self, query, outputs):
        if PLAIN:
            pairs = torch.cat((query.unsqueeze(1).expand_as(outputs), outputs), dim=2)
            weights = torch.softmax(self.v(torch.tanh(self.attn(pairs))), dim=1)
            return (outputs * weights).sum(dim=1), weights
        size, weight = query.shape[1], self.attn.weight
        asked = nn.functional.linear(query, weight[:, :size], self.attn.bias)
        answers = nn.functional.linear(outputs, weight[:, size:])
        weights = torch.softmax(self.v(torch.tanh(asked + answers)), dim=0)
        return (outputs * weights).sum(dim=0), weights


class Model(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.gru = nn.GRU(size['I'], size['H'], size['layers'], batch_first=PLAIN)
        self.attention = Attention(size['H'])
        self.fc = nn.Linear(size['H'], size['O'])

    def forward(self, x):
        outputs, state = self.gru(x)
        context, weights = self.attention(state[-1], outputs)
        return self.fc(context), weights


def make_model(request):
    torch.set_num_threads(request['threads'])
    size = request['size']
    model = Model(size)
    model.load_state_dict({name: unpack(p['data'], p['shape']) for name, p in request['parameters'].items()})
    x = unpack(request['x'], (size['B'], size['T'], size['I']))
    return model, x if PLAIN else x.transpose(0, 1).contiguous(), size


class Trainee:
    def __init__(self, request):
        self.model, self.x, size = make_model(request)
        self.y = unpack(request['targets'], (size['B'], size['O']))
        self.criterion = nn.BCEWithLogitsLoss()
        options = {} if PLAIN else {'fused': True}
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-3, **options)

    def backward(self):
        self.optimizer.zero_grad()
        self.last = self.criterion(self.model(self.x)[0], self.y)
        self.last.backward()

    def step(self):
        self.backward()
        self.optimizer.step()


class Predictor:
    def __init__(self, request):
        self.model, self.x, _ = make_model(request)
        self.model.eval()
        self.one = (self.x[:1] if PLAIN else self.x[:, :1]).contiguous()
        self.calls = {'single': lambda: self.predict(self.one), 'batch': lambda: self.predict(self.x)}

    def predict(self, x):
        with torch.inference_mode():
            logits, weights = self.model(x)
            return torch.sigmoid(logits), weights


def measure(call, ms, most=None):
    times, now = [], time.perf_counter()
    end = now + ms / 1000
    while not times or now < end and (most is None or len(times) < most):
        call()
        later = time.perf_counter()
        times.append(1000 * (later - now))
        now = later
    mean = sum(times) / len(times)
    times.sort()
    n = len(times)
    return dict(steps=n, median=(times[(n - 1) // 2] + times[n // 2]) / 2, p10=times[(n - 1) // 10], mean=mean)


def describe(what):
    threads = torch.get_num_threads()
    form = 'as usually written' if PLAIN else 'time first, attention taken apart' + (', fused Adam' if what else '')
    return dict(about=f'{threads} thread{"s" if threads > 1 else ""}, {form}',
                versions=dict(torch=torch.__version__, python=sys.version.split()[0]))


def answer(request, state):
    op = request['op']
    if op == 'train':
        state['trainee'] = trainee = Trainee(request)
        trainee.backward()
        gradients = {name: pack(p.grad) for name, p in trainee.model.named_parameters()}
        return dict(describe(True), loss=trainee.last.item(), gradients=gradients)
    if op == 'steps':
        losses = []
        for _ in range(request['count']):
            state['trainee'].step()
            losses.append(state['trainee'].last.item())
        return dict(losses=losses)
    if op == 'run':
        return measure(state['trainee'].step, request['ms'], request.get('most'))
    if op == 'predict':
        state['predictor'] = predictor = Predictor(request)
        probabilities = pack(predictor.predict(predictor.x)[0])
        return dict(describe(False), probabilities=probabilities, calls=list(predictor.calls))
    if op == 'call':
        return measure(state['predictor'].calls[request['name']], request['ms'])
    if op == 'memory':
        return dict(resident=1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    raise ValueError(f'Cannot answer "{op}"')


def main():
    state = {}
    for line in sys.stdin:
        request = json.loads(line)
        if request['op'] == 'end':
            break
        try:
            reply = answer(request, state)
        except Exception as error:
            reply = dict(error=f'{type(error).__name__}: {error}')
        print(json.dumps(reply), flush=True)


if __name__ == '__main__':
    main()
