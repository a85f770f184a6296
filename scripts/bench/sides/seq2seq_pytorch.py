#!/usr/bin/env python3
"""PyTorch's training step from sequences to sequences: see scripts/bench/seq2seq.ts.

    python3 seq2seq_pytorch.py '{"B", "S", "T", "E", "H", "V", "threads", "keys", "ms"}'     -> {"median", "loss", "steps"}

The loop in its usual form asks the attention with the decoder's state joined to every encoder output at each step. With
`keys` what the attention makes of the encoder's outputs is computed once, and the readout of all steps at once.
"""
import json, sys, time
import torch
from torch import nn
from torch.nn import functional as F

size = json.loads(sys.argv[1])
B, S, T, E, H, V = (size[k] for k in 'BSTEHV')
torch.set_num_threads(size['threads'])
torch.manual_seed(0)


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.source, self.target = nn.Embedding(V, E), nn.Embedding(V, E)
        self.encoder = nn.GRU(E, H, batch_first=True)
        self.bridge = nn.Linear(H, H)
        self.attn, self.v = nn.Linear(2 * H, H), nn.Linear(H, 1, bias=False)
        self.decoder = nn.GRU(E + H, H, batch_first=True)
        self.fc = nn.Linear(2 * H + E, V)

    def forward(self, source, targets):
        encoded, final = self.encoder(self.source(source))
        state = torch.tanh(self.bridge(final))
        fed = self.target(torch.cat((torch.full((B, 1), 2), targets[:, :-1]), 1))
        keys = F.linear(encoded, self.attn.weight[:, H:], self.attn.bias) if size['keys'] else None
        outputs = []
        for t in range(T):
            if size['keys']:
                scores = self.v(torch.tanh(F.linear(state[-1], self.attn.weight[:, :H]).unsqueeze(1) + keys))
            else:
                asked = state[-1].unsqueeze(1).expand(-1, S, -1)
                scores = self.v(torch.tanh(self.attn(torch.cat((asked, encoded), 2))))
            context = torch.softmax(scores, 1).transpose(1, 2) @ encoded
            embedded = fed[:, t:t + 1]
            top, state = self.decoder(torch.cat((embedded, context), 2), state)
            read = torch.cat((top, context, embedded), 2)
            outputs.append(read if size['keys'] else self.fc(read))
        outputs = torch.cat(outputs, 1)
        return self.fc(outputs) if size['keys'] else outputs


model = Model()
optimizer = torch.optim.Adam(model.parameters())
source, targets = torch.randint(4, V, (B, S)), torch.randint(4, V, (B, T))


def step():
    optimizer.zero_grad()
    loss = F.cross_entropy(model(source, targets).flatten(0, 1), targets.flatten())
    loss.backward()
    optimizer.step()
    return loss.item()


first = step()
step()
now = time.perf_counter if size['threads'] > 1 else time.process_time
times, end = [], time.perf_counter() + size['ms'] / 1000
while len(times) < 3 or time.perf_counter() < end:
    start = now()
    step()
    times.append((now() - start) * 1000)
print(json.dumps(dict(median=sorted(times)[len(times) // 2], steps=len(times), loss=first)))
