"""Chess NNUE networks as NumPy arrays: read, evaluated, permuted and written, to the byte as the command `nnue` does it.

    import nnue

    net = nnue.open("nn-ad9b42354671.nnue")
    net.tensors()["ft.weight"]                      # int16, (22528, 1024)
    net.evaluate("8/8/8/4k3/8/4K3/4P3/8 w - - 0 1").value
    found = net.search(["games.binpack"], 10_000)
    net.permuted(found.permutation).write("optimized.nnue", compression="leb128")

Nothing in a file is ever executed, checkpoints included.
"""

from __future__ import annotations

import os
from typing import Iterable, Mapping, NamedTuple, Sequence, Union

import numpy as np

from . import _nnue
from ._nnue import Error

__all__ = [
    "Error",
    "Evaluation",
    "Found",
    "Net",
    "Written",
    "open",
    "read_permutation",
    "read_tensors",
    "write_permutation",
]

Path = Union[str, "os.PathLike[str]"]


class Evaluation(NamedTuple):
    """What an engine computes of a position, in its own integers, for the side to move."""

    bucket: int
    psqt: int
    positional: int
    value: int


class Found(NamedTuple):
    """A permutation that a search found, and how many blocks of four activations are zero before and after it."""

    permutation: np.ndarray
    zero_before: int
    zero_after: int
    blocks: int


class Written(NamedTuple):
    """A file that was written: its size, its SHA-256, and the name that engines know such a net by."""

    bytes: int
    sha256: str
    name: str


def _arrays(tensors) -> dict[str, np.ndarray]:
    def array(dtype, shape, data):
        # A copy: arrays that can be changed.
        return np.frombuffer(data, dtype=np.dtype(dtype).newbyteorder("<")).astype(dtype).reshape(shape)

    return {name: array(dtype, shape, data) for name, dtype, shape, data in tensors}


class Net:
    """A network in integers, as an engine holds it. It does not change: what changes it gives another one."""

    __slots__ = ("_net", "_facts")

    def __init__(self, net: _nnue.Net):
        self._net = net
        self._facts = net.facts()

    @property
    def architecture(self) -> str:
        """The generation, such as `SFNNv9`."""
        return self._facts[0]

    @property
    def candidates(self) -> list[str]:
        """Every generation that the file can be of, oldest first."""
        return list(self._facts[1])

    @property
    def features(self) -> str:
        """The feature set, by the trainer's name."""
        return self._facts[2]

    @property
    def quantization(self) -> str:
        """The scales: `ft127`, `ft255` or `ft256`."""
        return self._facts[3]

    @property
    def l1(self) -> int:
        """Outputs of the feature transformer, of one side."""
        return self._facts[4]

    @property
    def l2(self) -> int:
        """Outputs of the first dense layer."""
        return self._facts[5]

    @property
    def l3(self) -> int:
        """Outputs of the second dense layer."""
        return self._facts[6]

    @property
    def description(self) -> str:
        """What the file says of itself."""
        return self._facts[7]

    def tensors(self) -> dict[str, np.ndarray]:
        """All weights, by the names of `nnue inspect`: copies, int8, int16 and int32."""
        return _arrays(self._net.tensors())

    def with_tensors(self, tensors: Mapping[str, np.ndarray]) -> "Net":
        """The same network with these arrays in the place of its own. Shapes and types must be equal: floats are not rounded for you."""

        def part(name, values):
            values = np.asarray(values)
            data = np.ascontiguousarray(values).astype(values.dtype.newbyteorder("<"), copy=False).tobytes()
            return name, values.dtype.name, list(values.shape), data

        return Net(self._net.with_tensors([part(name, values) for name, values in tensors.items()]))

    def evaluate(self, fen: str) -> Evaluation:
        """What the engine of this generation computes of a position."""
        return self.evaluate_all([fen])[0]

    def evaluate_all(self, fens: Iterable[str]) -> list[Evaluation]:
        """The same of many positions."""
        return [Evaluation(*found) for found in self._net.evaluate(list(fens))]

    def search(self, data: Sequence[Path], positions: int, algorithm: str = "greedy") -> Found:
        """Searches an order of the neuron pairs in which more blocks of four activations are zero, over positions of these files."""
        permutation, *counts = self._net.search([os.fspath(file) for file in data], positions, algorithm)
        return Found(np.array(permutation, dtype=np.int64), *counts)

    def permuted(self, permutation: Sequence[int]) -> "Net":
        """The same network with its neuron pairs in this order. It evaluates every position as before."""
        return Net(self._net.permuted([int(index) for index in permutation]))

    def write(self, path: Path, compression: str | None = None) -> Written:
        """Writes a `.nnue` file, whole or not at all: `none` or `leb128`, or as the source was."""
        return Written(*self._net.write(os.fspath(path), compression))

    def export(self, path: Path, format: str) -> Written:
        """Writes a file of floats that quantize back to exactly these integers: `npz`, `safetensors`, `nnue`."""
        return Written(*self._net.export(os.fspath(path), format))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Net) and self._facts == other._facts and self._net.same_weights(other._net)

    __hash__ = None

    def __repr__(self) -> str:
        return f"<nnue.Net {self.architecture}, {self.features}, L1={self.l1} L2={self.l2} L3={self.l3}>"


def open(
    path: Path,
    *,
    architecture: str | None = None,
    features: str | None = None,
    quantization: str | None = None,
    overflow: str = "error",
) -> Net:
    """Opens a `.nnue` file, an engine with one inside, or a checkpoint, which is quantized. What is given must hold of the file."""
    return Net(_nnue.open(os.fspath(path), architecture, features, quantization, overflow))


def read_tensors(path: Path) -> dict[str, np.ndarray]:
    """The float32 arrays of a checkpoint, a module, a `.safetensors` or `.npz` file, by their names in it. Executes nothing."""
    return _arrays(_nnue.read_tensors(os.fspath(path)))


def read_permutation(path: Path) -> np.ndarray:
    """Reads a permutation: a `.npy` file of the trainer's tool, or numbers in a text."""
    return np.array(_nnue.read_permutation(os.fspath(path)), dtype=np.int64)


def write_permutation(path: Path, permutation: Sequence[int]) -> None:
    """Writes a permutation as the `.npy` file that the trainer's tools take."""
    _nnue.write_permutation(os.fspath(path), [int(index) for index in permutation])
