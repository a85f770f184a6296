#!/usr/bin/env python3
"""A beam search in PyTorch, for scripts/bench/seq2seq_beam.ts: reads JSON, writes JSON.

    {"state", "sources", "width", "alpha", "length", "threads", "chunks", "rounds"}  ->  {"ms", "chunk", "answers"}

All hypotheses of `chunk` sources go through a step as one batch, and what the attention makes of the encoder's outputs is
computed once. Sources that are done leave the batch. `ms` is the least time over all sources, of the best chunk.
"""
import json, sys, time
import torch
from torch import nn
from torch.nn import functional as F

PAD, START, END = 0, 2, 3
given = json.load(sys.stdin)
state = {name: torch.tensor(data).reshape(shape) for name, (shape, data) in given['state'].items()}
W, ALPHA, LENGTH = given['width'], given['alpha'], given['length']
torch.set_num_threads(given['threads'])
H, D = state['bridge.weight'].shape
E = state['encoder.embedding.weight'].shape[1]
encoder = nn.GRU(E, D // 2, batch_first=True, bidirectional=True)
encoder.load_state_dict({name[12:]: value for name, value in state.items() if name.startswith('encoder.gru.')})
cell = nn.GRUCell(state['decoder.gru.weight_ih_l0'].shape[1], H)
cell.load_state_dict({name[12:-3]: value for name, value in state.items() if name.startswith('decoder.gru.')})
attn, v = state['attention.attn.weight'], state['attention.v.weight']
V = state['fc.weight'].shape[0]


def search(sources):
    B = len(sources)
    out, last = encoder(state['encoder.embedding.weight'][sources])
    hidden = torch.tanh(F.linear(torch.cat(list(last), 1), state['bridge.weight'], state['bridge.bias']))
    answers = F.linear(out, attn[:, H:], state['attention.attn.bias'])
    # Rows are hypotheses, W of a source; in the first step one of them counts.
    hidden, keys, answers = (x.repeat_interleave(W, 0) for x in (hidden, out, answers))
    sums = torch.full((B, W), float('-inf'))
    sums[:, 0] = 0
    said = torch.full((B * W,), START)
    history = torch.zeros(B * W, 0, dtype=torch.long)
    of, finished = torch.arange(B), [[] for _ in range(B)]
    for n in range(1, LENGTH + 1):
        fed = state['decoder.embedding.weight'][said]
        weights = F.linear(torch.tanh(F.linear(hidden, attn[:, :H]).unsqueeze(1) + answers), v).softmax(1)
        context = (weights.transpose(1, 2) @ keys).squeeze(1)
        hidden = cell(torch.cat((fed, context), 1), hidden)
        logits = F.linear(torch.cat((hidden, context, fed), 1), state['fc.weight'], state['fc.bias'])
        logp = logits.log_softmax(1)
        logp[:, [PAD, START]] = float('-inf')
        live = len(of)
        best, at = (sums.unsqueeze(2) + logp.view(live, W, V)).view(live, W * V).topk(2 * W)
        rows, tokens = at // V + torch.arange(live).unsqueeze(1) * W, at % V
        is_end = tokens == END
        for i, k in is_end[:, :W].nonzero().tolist():
            if best[i, k] > float('-inf'):
                score = best[i, k].item() / ((5 + n) / 6) ** ALPHA
                finished[of[i]].append((score, history[rows[i, k]].tolist()))
        # The first W that are not END, in their order.
        going = torch.sort(is_end.long(), dim=1, stable=True).indices[:, :W]
        sums, rows, tokens = best.gather(1, going), rows.gather(1, going), tokens.gather(1, going)
        if n == LENGTH:
            for i in range(live):
                if len(finished[of[i]]) < W:
                    for k in range(W):
                        said_before = history[rows[i, k]].tolist()
                        score = sums[i, k].item() / ((5 + n) / 6) ** ALPHA
                        finished[of[i]].append((score, said_before + [tokens[i, k].item()]))
            break
        goes_on = torch.tensor([len(finished[source]) < W for source in of.tolist()])
        if not goes_on.any():
            break
        every = goes_on.repeat_interleave(W)
        rows, said, sums, of = rows[goes_on].view(-1), tokens[goes_on].view(-1), sums[goes_on], of[goes_on]
        history = torch.cat((history[rows], said.unsqueeze(1)), 1)
        hidden, keys, answers = hidden[rows], keys[every], answers[every]
    return [sorted(all, key=lambda found: -found[0])[:W] for all in finished]


with torch.inference_mode():
    sources, found = torch.tensor(given['sources']), {}
    now = time.perf_counter if given['threads'] > 1 else time.process_time
    for chunk in given['chunks']:
        times = []
        for _ in range(given['rounds']):
            start = now()
            answers = [one for part in sources.split(chunk) for one in search(part)]
            times.append((now() - start) * 1000)
        found[chunk] = min(times)
    chunk = min(found, key=found.get)
    print(json.dumps(dict(ms=found[chunk], chunk=chunk, answers=answers)))
