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


for name in sorted(os.listdir(folder)):
    try:
        value = torch.load(os.path.join(folder, name), weights_only=True, map_location="cpu")
        if not isinstance(value, (dict, collections.OrderedDict)):
            found[name] = "not a dict"
            continue
        found[name] = {key: describe(tensor) for key, tensor in value.items() if isinstance(tensor, torch.Tensor) and isinstance(key, str)}
    except Exception as error:
        found[name] = type(error).__name__
print(json.dumps(found))
