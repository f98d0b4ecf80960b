"""Real PyTorch, safetensors and NumPy read the networks that nnue wrote as floats; fails at the first difference.

usage: checkpoint_reads.py FOLDER

FOLDER holds net.pt, net.safetensors, net.npz (one network), and seed.pt, head.pt (modules in constructor form). The trainer's classes are
stood in for by classes with the same constructors, whose tensors have the trainer's names.
"""

import os
import sys
import types

import numpy as np
import safetensors
import safetensors.torch
import torch

folder = sys.argv[1]


def path(name):
    return os.path.join(folder, name)


state = torch.load(path("net.pt"), weights_only=True)
assert all(isinstance(value, torch.Tensor) and value.dtype == torch.float32 for value in state.values())
assert state.nnue_architecture == "SFNNv9" and state.nnue_quantization == "ft127" and state.nnue_features == "HalfKAv2_hm"
again = torch.load(path("net.pt"), weights_only=True, mmap=True)
assert all(torch.equal(value, again[name]) for name, value in state.items())


def nest(tensors):
    """Modules whose state_dict has exactly these names."""
    root = torch.nn.Module()
    for name, tensor in tensors.items():
        *parents, last = name.split(".")
        module = root
        for parent in parents:
            if not hasattr(module, parent):
                module.add_module(parent, torch.nn.Module())
            module = getattr(module, parent)
        module.register_parameter(last, torch.nn.Parameter(torch.empty_like(tensor)))
    return root


nest(state).load_state_dict(state, strict=True)

other = safetensors.torch.load_file(path("net.safetensors"))
assert sorted(other) == sorted(state) and all(torch.equal(value, state[name]) for name, value in other.items())
with safetensors.safe_open(path("net.safetensors"), "pt") as opened:
    assert opened.metadata()["nnue_architecture"] == "SFNNv9"

with np.load(path("net.npz"), allow_pickle=False) as arrays:
    names = [name for name in arrays.files if not name.startswith("__metadata__.")]
    assert sorted(names) == sorted(state)
    assert all(np.array_equal(arrays[name], state[name].numpy()) for name in names)
    assert arrays["__metadata__.nnue_quantization"].tobytes() == b"ft127"


def install(**modules):
    for name, members in modules.items():
        name = name.replace("__", ".")
        parts = name.split(".")
        for depth in range(1, len(parts) + 1):
            sys.modules.setdefault(".".join(parts[:depth]), types.ModuleType(".".join(parts[:depth])))
        for member in members:
            setattr(sys.modules[name], member.__name__, member)


class Features:
    def __init__(self):
        pass


class FeatureSet:
    def __init__(self, features):
        self.features = features


class ModelConfig:
    L1, L2, L3 = 3072, 15, 32


class QuantizationConfig:
    ft_quantized_one = 255.0



class NNUE(torch.nn.Module):
    def __init__(self, *args):
        super().__init__()
        self.args = args
        self.loaded = None

    def load_state_dict(self, tensors):
        self.loaded = tensors
        nest(tensors).load_state_dict(tensors, strict=True)


class NNUELightningConfig:
    features = ""


install(
    model__features__feature_set=[FeatureSet],
    model__features__halfka_v2_hm=[Features],
    model__config=[ModelConfig, NNUELightningConfig],
    model__quantize=[QuantizationConfig],
    model__lightning_module=[NNUE],
    model__nnue=[NNUE],
)
seed = torch.load(path("seed.pt"), weights_only=False)
features, config, quantization = seed.args
assert len(features.features) == 1 and type(features.features[0]) is Features
assert (config.L1, config.L2, config.L3, quantization.ft_quantized_one) == (8, 15, 32, 127.0)
assert torch.equal(seed.loaded["model.input.weight"], state["input.weight"])
assert torch.equal(seed.loaded["model.layer_stacks.l1.linear.weight"], state["layer_stacks.l1.weight"])

head = torch.load(path("head.pt"), weights_only=False)
(config,) = head.args
assert config.features == "Full_Threats+PP_3Wide+HalfKAv2_hm^" and config.model_config.L2 == 32
assert head.loaded["model.input.features.2.weight"].shape == (24576, 16)
assert not head.loaded["model.input.features.2.virtual_weight"].any()
print("ok")
