"""Real PyTorch, safetensors and NumPy read the files that nnue wrote; fails at the first difference.

usage: torch_reads.py FOLDER
"""

import json
import os
import struct
import sys
import types
import warnings

import numpy as np
import safetensors
import safetensors.numpy
import safetensors.torch
import torch

folder = sys.argv[1]
expected = json.load(open(os.path.join(folder, "expected.json")))


def path(name):
    return os.path.join(folder, name)


def same(name, tensor):
    want = expected[name]
    assert str(tensor.dtype).removeprefix("torch.") == want["dtype"], (name, tensor.dtype)
    assert list(tensor.shape) == want["shape"], (name, tensor.shape)
    dense = tensor.detach().contiguous().reshape(-1)
    raw = dense.view(torch.uint8).numpy().tobytes() if dense.numel() else b""
    assert raw.hex() == want["hex"], name


for options in ({"weights_only": True}, {"weights_only": False}, {"weights_only": True, "mmap": True}):
    loaded = torch.load(path("state_dict.pt"), **options)
    assert list(loaded) == list(expected), (options, list(loaded))
    for name, tensor in loaded.items():
        same(name, tensor)
    print("state_dict.pt", options, "ok")

loaded = safetensors.torch.load_file(path("x.safetensors"))
assert sorted(loaded) == sorted(expected)
for name, tensor in loaded.items():
    same(name, tensor)
with safetensors.safe_open(path("x.safetensors"), "pt") as opened:
    metadata = opened.metadata()
assert metadata == {"format": "pt", "description": "ünï \"quoted\""}, metadata
# The library writes metadata in the random order of a hash table, so the bytes are compared for one entry.
assert safetensors.torch.save(loaded, {"format": "pt"}) == open(path("y.safetensors"), "rb").read(), "the library writes other bytes"
print("x.safetensors ok")

with np.load(path("x.npz"), allow_pickle=False) as arrays:
    names = [name for name, want in expected.items() if want["npz"]]
    assert arrays.files == names, arrays.files
    for name in names:
        same(name, torch.from_numpy(arrays[name].copy()))
print("x.npz ok")


# The whole module in constructor form: the classes are the reader's own, as they are the trainer's.
class Sizes:
    L1 = 0


class Config:
    features = ""


class Net(torch.nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.layer = torch.nn.Linear(config.sizes.L1, 2)


toy = types.ModuleType("toy")
toy.Sizes, toy.Config, toy.Net = Sizes, Config, Net
sys.modules["toy"] = toy
net = torch.load(path("module.pt"), weights_only=False)
assert type(net) is Net and net.config.sizes.L1 == 3 and net.config.features == "HalfKAv2_hm^"
assert net.layer.weight.tolist() == [[1, 2, 3], [4, 5, 6]] and net.layer.bias.tolist() == [0.5, -0.5]
assert net.layer.weight.requires_grad
torch.optim.Adam(net.parameters())
print("module.pt ok")
