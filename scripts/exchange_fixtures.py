#!/usr/bin/env python3
"""Writes what PyTorch saves in its many ways, for the tests of the readers: tests/testdata/exchange/*.pt.

    python3 scripts/exchange_fixtures.py tests/testdata/exchange

Numbers are counted up from 0, so that the tests need no file beside these.
"""
import os, sys
from collections import OrderedDict
import torch
from torch import nn


class Evil:
    """What a hostile file does: a call of any function, on loading."""
    def __reduce__(self):
        return os.system, ("touch /tmp/executed",)


def count(*shape, dtype=torch.float32):
    n = 1
    for size in shape:
        n *= size
    return torch.arange(n, dtype=dtype).reshape(shape)


def gru(prefix=""):
    """A state dict of the smallest model: GRU(1, 2), one output."""
    shapes = dict([("gru.weight_ih_l0", (6, 1)), ("gru.weight_hh_l0", (6, 2)), ("gru.bias_ih_l0", (6,)), ("gru.bias_hh_l0", (6,)),
                   ("attention.attn.weight", (2, 4)), ("attention.attn.bias", (2,)), ("attention.v.weight", (1, 2)),
                   ("fc.weight", (1, 2)), ("fc.bias", (1,))])
    return OrderedDict((prefix + name, count(*shape) / 10) for name, shape in shapes.items())


def main(folder):
    os.makedirs(folder, exist_ok=True)
    save = lambda name, value, **options: torch.save(value, os.path.join(folder, name + ".pt"), **options)
    types = dict(float64=torch.float64, float16=torch.float16, bfloat16=torch.bfloat16, int64=torch.int64, int32=torch.int32,
                 int16=torch.int16, int8=torch.int8, uint8=torch.uint8)
    save("types", {**{name: count(2, 3, dtype=dtype) for name, dtype in types.items()}, "bool": torch.tensor([True, False])})
    save("large_int", dict(steps=torch.tensor([2 ** 24 + 1])))
    save("large_float", dict(x=torch.tensor([1e300], dtype=torch.float64)))
    whole = count(4, 6)
    save("views", dict(whole=whole, turned=whole.t(), slice=whole[1:3, 2:6:2], row=whole[2], repeated=count(3).expand(4, 3),
                       scalar=torch.tensor(7.0), empty=torch.zeros(0, 3)))
    save("parameters", {name: nn.Parameter(value) for name, value in gru().items()})
    save("module_prefix", gru("module."))
    save("nested", dict(epoch=3, state_dict=gru("model.net."), hyper_parameters=dict(lr=1e-3, name="x", betas=(0.9, 0.999), none=None,
                                                                               seed=2 ** 40, list=[1, -2, True])))
    save("optimizer_only", dict(epoch=3, optimizer=dict(lr=1e-3)))
    save("legacy", gru(), _use_new_zipfile_serialization=False)
    save("protocol_4", gru(), pickle_protocol=4)
    save("evil", dict(gru(), evil=Evil()))
    save("module", nn.Linear(1, 1))
    save("odd", dict(gru(), epoch=3))


main(sys.argv[1])
