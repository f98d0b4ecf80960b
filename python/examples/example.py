"""What can be asked of a net from Python; each block is a cell of a notebook. Run from the repository's root: `python python/examples/example.py`."""

# %% Open a net: nothing in the file is executed.
import pathlib
import tempfile

import numpy as np

import nnue

example = pathlib.Path(__file__).resolve().parents[2] / "examples" / "quickstart"
net = nnue.open(example / "random.nnue")
print(net, net.description)

# %% Its weights are NumPy arrays, in the integers that the engine holds.
tensors = net.tensors()
for name, values in list(tensors.items())[:3]:
    print(f"{name}: {values.dtype} {values.shape}, {values.min()} to {values.max()}")

# %% Neurons by the sum of the sizes of their weights.
sizes = np.abs(tensors["ft.weight"].astype(np.int64)).sum(axis=0)
print("largest neurons:", np.argsort(-sizes)[:5])

# %% What the engine computes.
start = "rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNR w KQkq - 0 1"
print(net.evaluate(start))

# %% A better order of the neurons: more blocks of four activations are zero, and no evaluation changes.
found = net.search([example / "positions.fen"], 50)
print(f"{found.zero_before} → {found.zero_after} of {found.blocks} blocks are zero")
optimized = net.permuted(found.permutation)
assert optimized.evaluate(start) == net.evaluate(start)

# %% Written as the command line writes it.
with tempfile.TemporaryDirectory() as folder:
    print(optimized.write(pathlib.Path(folder) / "optimized.nnue", compression="leb128"))
