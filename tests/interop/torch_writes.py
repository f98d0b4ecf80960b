"""Real PyTorch, safetensors and NumPy write files; prints what each tensor in them is, as JSON.

usage: torch_writes.py FOLDER
"""

import collections
import hashlib
import json
import os
import sys

import numpy as np
import safetensors.torch
import torch

folder = sys.argv[1]
torch.manual_seed(7)
expected = {}


def describe(tensor):
    tensor = tensor.detach()
    dense = tensor.contiguous().clone()
    raw = dense.reshape(-1).view(torch.uint8).numpy().tobytes() if dense.numel() else b""
    return {
        "dtype": str(tensor.dtype).removeprefix("torch."),
        "shape": list(tensor.shape),
        "stride": list(tensor.stride()),
        "storage_offset": tensor.storage_offset(),
        "sha256": hashlib.sha256(raw).hexdigest(),
        # what `.float()` makes of it
        "f32": hashlib.sha256(dense.float().numpy().tobytes()).hexdigest() if tensor.is_floating_point() else None,
    }


def save(name, value, tensors, **options):
    torch.save(value, os.path.join(folder, name), **options)
    expected[name] = {key: describe(tensor) for key, tensor in tensors.items()}


class Block(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(5, 3)
        self.register_buffer("kept", torch.arange(4.0))
        self.register_buffer("dropped", torch.arange(6.0), persistent=False)


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.L1 = 16
        self.feature_name = "HalfKAv2_hm^"
        self.free = torch.nn.Parameter(torch.randn(7))
        self.blocks = torch.nn.ModuleList([Block(), Block()])
        self.absent = None
        self.register_parameter("none", None)


base = torch.randn(40, 24)
views = collections.OrderedDict(
    whole=base,
    transposed=base.t(),
    rows=base[3:9],
    columns=base[:, 5:11],
    steps=base[::3, ::5],
    expanded=base[:1].expand(4, 24),
    permuted=torch.randn(2, 3, 4).permute(2, 0, 1),
    scalar=torch.tensor(3.5),
    empty=torch.empty(0, 4),
)
special = torch.tensor([0.0, -0.0, 1.0, 2.0**-30, 1e30, float("inf"), float("-inf"), float("nan"), 1.0 + 2.0**-24, 65504.0])
kinds = collections.OrderedDict((str(t), special.to(t)) for t in (torch.float64, torch.float32, torch.float16, torch.bfloat16))
kinds["double_ties"] = torch.tensor([1 + 2.0**-24, 1 + 3 * 2.0**-24, 2.0**-150, 2.0**-149 * 1.5, 1e39], dtype=torch.float64)
kinds["long"] = torch.arange(-3, 9)
net = Net()
optimizer = torch.optim.Adam(net.parameters())
sum(parameter.sum() for parameter in net.parameters()).backward()
optimizer.step()
weights = net.state_dict()
checkpoint = {
    "epoch": 3,
    "pytorch-lightning_version": "2.6.6",
    "state_dict": weights,
    "optimizer_states": [optimizer.state_dict()],
    "callbacks": {"x": {"best": None, "k": (1, 2.5, "t")}},
}
for protocol in (2, 3, 4, 5):
    for zipped in (True, False):
        tag = f"{'zip' if zipped else 'legacy'}{protocol}.pt"
        options = {"pickle_protocol": protocol, "_use_new_zipfile_serialization": zipped}
        save(f"views_{tag}", views, views, **options)
        save(f"kinds_{tag}", kinds, kinds, **options)
        save(f"checkpoint_{tag}", checkpoint, weights, **options)
        save(f"module_{tag}", net, weights, **options)

dense = {name: tensor.contiguous() for name, tensor in kinds.items()} | {"matrix": base.clone()}
safetensors.torch.save_file(dense, os.path.join(folder, "x.safetensors"), metadata={"format": "pt"})
expected["x.safetensors"] = {name: describe(tensor) for name, tensor in dense.items()}
arrays = {name: tensor for name, tensor in dense.items() if tensor.dtype not in (torch.bfloat16, torch.float16)}
np.savez(os.path.join(folder, "stored.npz"), **{name: tensor.numpy() for name, tensor in arrays.items()})
np.savez_compressed(os.path.join(folder, "packed.npz"), **{name: tensor.numpy() for name, tensor in arrays.items()})
expected["stored.npz"] = expected["packed.npz"] = {name: describe(tensor) for name, tensor in arrays.items()}
print(json.dumps(expected))
