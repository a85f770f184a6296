"""Grutto's model in PyTorch: it loads the .pt and .safetensors files that Grutto writes."""
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


class GruAttention(nn.Module):
    def __init__(self, inputs, hidden, outputs, layers=1, bidirectional=False, bias=True, tokens=0):
        super().__init__()
        width = hidden * (2 if bidirectional else 1)
        self.embedding = nn.Embedding(tokens, inputs) if tokens else nn.Identity()
        self.gru = nn.GRU(inputs, hidden, layers, bias=bias, batch_first=True, bidirectional=bidirectional)
        self.attention = nn.ModuleDict({"attn": nn.Linear(2 * width, width), "v": nn.Linear(width, 1, bias=False)})
        self.fc = nn.Linear(width, outputs)

    def forward(self, x, lengths=None):  # (batch, time, inputs), or tokens (batch, time)
        time = x.shape[1]
        lengths = torch.full((len(x),), time) if lengths is None else lengths
        packed = pack_padded_sequence(self.embedding(x), lengths.cpu(), batch_first=True, enforce_sorted=False)
        out, last = self.gru(packed)
        out, _ = pad_packed_sequence(out, batch_first=True, total_length=time)
        query = torch.cat(list(last[-2:] if self.gru.bidirectional else last[-1:]), 1).unsqueeze(1).expand_as(out)
        scores = self.attention["v"](torch.tanh(self.attention["attn"](torch.cat([query, out], 2)))).squeeze(2)
        behind = torch.arange(time, device=x.device) >= lengths.to(x.device)[:, None]
        weights = scores.masked_fill(behind, float("-inf")).softmax(1)
        return self.fc((weights.unsqueeze(2) * out).sum(1)), weights
