"""Grutto's model in PyTorch: it loads the .pt and .safetensors files that Grutto writes."""
import torch
from torch import nn


class GruAttention(nn.Module):
    def __init__(self, inputs, hidden, outputs, layers=1, bidirectional=False, bias=True, tokens=0):
        super().__init__()
        width = hidden * (2 if bidirectional else 1)
        self.embedding = nn.Embedding(tokens, inputs) if tokens else nn.Identity()
        self.gru = nn.GRU(inputs, hidden, layers, bias=bias, batch_first=True, bidirectional=bidirectional)
        self.attention = nn.ModuleDict({"attn": nn.Linear(2 * width, width), "v": nn.Linear(width, 1, bias=False)})
        self.fc = nn.Linear(width, outputs)

    def forward(self, x):  # (batch, time, inputs), or tokens (batch, time)
        out, last = self.gru(self.embedding(x))
        query = torch.cat(list(last[-2:] if self.gru.bidirectional else last[-1:]), 1).unsqueeze(1).expand_as(out)
        weights = self.attention["v"](torch.tanh(self.attention["attn"](torch.cat([query, out], 2)))).softmax(1)
        return self.fc((weights * out).sum(1)), weights.squeeze(2)
