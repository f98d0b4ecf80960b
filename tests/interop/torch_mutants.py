"""What `torch.load(weights_only=True)` makes of damaged files, as one JSON object: file → tensors, or why there are none.

usage: torch_mutants.py FOLDER
"""

import collections
import hashlib
import json
import os
import sys
import warnings

import torch

warnings.simplefilter("ignore")
folder = sys.argv[1]
found = {}


def describe(tensor):
    tensor = tensor.detach()
    # A view may repeat what is stored: nothing larger is asked for.
    if tensor.layout != torch.strided or tensor.is_quantized or tensor.numel() > 1 << 16:
        return None
    dense = tensor.contiguous().clone()
    raw = dense.reshape(-1).view(torch.uint8).numpy().tobytes() if dense.numel() else b""
    return [str(tensor.dtype).removeprefix("torch."), list(tensor.shape), hashlib.sha256(raw).hexdigest()]


def collect(value, path, tensors, depth=0):
    """Every tensor by its own key and by all keys that lead to it: a state_dict may lie anywhere in a checkpoint."""
    if isinstance(value, torch.Tensor) and path:
        for start in range(len(path)):
            tensors.setdefault(".".join(path[start:]), []).append(describe(value))
    elif isinstance(value, (dict, collections.OrderedDict)) and depth < 8:
        for key, member in list(value.items()):
            collect(member, [*path, str(key)], tensors, depth + 1)
    elif isinstance(value, (list, tuple)) and depth < 8:
        for index, member in enumerate(value):
            collect(member, [*path, str(index)], tensors, depth + 1)


for name in sorted(os.listdir(folder)):
    try:
        value = torch.load(os.path.join(folder, name), weights_only=True, map_location="cpu")
        found[name] = {}
        collect(value, [], found[name])
    except Exception as error:
        found[name] = type(error).__name__
print(json.dumps(found))
