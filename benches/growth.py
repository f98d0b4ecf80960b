#!/usr/bin/env python3
"""Costs grow with what there is to do, and no faster: memory, processor time and system calls of builds of more and more nets, and of
more and more data.

    python3 benches/growth.py [--nets 100,300,1000,3000] [--data 0.1,1,2] [--runs 3] [PROGRAM]

PROGRAM is by default target/release/nnue. Nets are the quick start's with other last weights; data (GB) is its positions again and again.
From one size to the next a cost may grow as the size does and 15 % more; the program fails otherwise. Processor time is the least of
the runs, memory the largest resident size of a process. System calls are counted by strace, and left out where that is missing.
"""

import argparse
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
QUICKSTART = ROOT / "examples" / "quickstart"
SLACK = 1.15
# Below these, noise and what a process costs anyway say more than what grows.
LEAST = {"CPU s": 0.02, "MB": 16.0, "calls": 500.0}

SWEEP = """version = 1
[data.games]
path = "positions.fen"
[net."{stem}"]
source = { glob = "sources/*.nnue" }
outputs = ["dist/{stem}.nnue"]
optimize = { data = "games", positions = 50 }
"""
ONE = """version = 1
[data.games]
path = "data.fen"
[net.one]
source = "random.nnue"
outputs = ["dist/one.nnue"]
optimize = { data = "games", positions = 1000 }
"""


def sized(text):
    return [float(size) for size in text.split(",") if size]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nets", type=sized, default=sized("100,300,1000,3000"))
    parser.add_argument("--data", type=sized, default=sized("0.1,1,2"))
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("program", nargs="?", default=str(ROOT / "target" / "release" / "nnue"))
    return parser.parse_args()


def run(program, folder):
    """CPU seconds and peak MB of a build in the folder."""
    build = subprocess.Popen([program, "build", "--quiet"], cwd=folder)
    _, status, used = os.wait4(build.pid, 0)
    build.returncode = os.waitstatus_to_exitcode(status)
    if build.returncode != 0:
        sys.exit(f"growth.py: `{program} build` failed in {folder}")
    return {"CPU s": used.ru_utime + used.ru_stime, "MB": used.ru_maxrss / 1024}


def calls(program, folder):
    """System calls of a build in the folder."""
    # Not in the folder: a new file there is something to look at.
    with tempfile.NamedTemporaryFile("r") as report:
        subprocess.run(["strace", "-f", "-c", "-o", report.name, program, "build", "--quiet"], cwd=folder, check=True)
        total = next(line.split() for line in report if line.endswith(" total\n"))
    # Share, seconds, mean, calls, perhaps errors.
    return {"calls": float(total[3])}


def least(costs):
    return {what: min(cost[what] for cost in costs) for what in costs[0]}


def clear(folder):
    for made in (".nnue", "dist"):
        shutil.rmtree(folder / made, ignore_errors=True)
    (folder / "nnue.lock").unlink(missing_ok=True)


def settle(program, folder):
    """Until the files are old enough for their times to be trusted, and this is noted."""
    for _ in range(2):
        time.sleep(2.5)
        run(program, folder)


def of_nets(program, folder, count, runs):
    sources = folder / "sources"
    sources.mkdir()
    net = (QUICKSTART / "random.nnue").read_bytes()[:-4]
    lines = (QUICKSTART / "positions.fen").read_text().splitlines()[:200]
    (folder / "positions.fen").write_text("\n".join(lines) + "\n")
    (folder / "nnue.toml").write_text(SWEEP)
    for number in range(count):
        (sources / f"{number:05}.nnue").write_bytes(net + b"%04d" % number)
    first = []
    for _ in range(max(1, runs - 1)):
        clear(folder)
        first.append(run(program, folder))
    settle(program, folder)
    costs = {"first build": least(first), "nothing to do": least([run(program, folder) for _ in range(2 * runs)])}
    counted = shutil.which("strace") is not None
    if counted:
        costs["nothing to do"] |= calls(program, folder)
    one = []
    for change in range(runs + counted):
        (sources / "00000.nnue").write_bytes(net + b"x%03d" % change)
        if change < runs:
            one.append(run(program, folder))
        else:
            costs["one net changed"] = calls(program, folder)
    costs["one net changed"] = least(one) | costs.get("one net changed", {})
    return costs


def of_data(program, folder, size, runs):
    positions = (QUICKSTART / "positions.fen").read_bytes()
    shutil.copy(QUICKSTART / "random.nnue", folder)
    (folder / "nnue.toml").write_text(ONE)
    with open(folder / "data.fen", "wb") as data:
        for _ in range(int(size * 1e9 / len(positions))):
            data.write(positions)
    first = []
    for _ in range(max(1, runs - 1)):
        clear(folder)
        first.append(run(program, folder))
    costs = {"first build": least(first)}
    if shutil.which("strace"):
        clear(folder)
        costs["first build"] |= calls(program, folder)
    return costs


def compare(what, sizes, costs):
    """Prints a table; tells of what grew too fast."""
    wrong = []
    columns = [(build, cost) for build in costs[0] for cost in costs[0][build]]
    print("| " + what + " | " + " | ".join(f"{build}: {cost}" for build, cost in columns) + " |")
    print("| ---: " * (len(columns) + 1) + "|")
    for size, row in zip(sizes, costs):
        shown = [f"{row[build][cost]:.3f}" if cost == "CPU s" else f"{row[build][cost]:.0f}" for build, cost in columns]
        print(f"| {size:g} | " + " | ".join(shown) + " |", flush=True)
    for at in range(1, len(sizes)):
        for build, cost in columns:
            before, now = costs[at - 1][build][cost], costs[at][build][cost]
            allowed = max(before, LEAST[cost]) * sizes[at] / sizes[at - 1] * SLACK
            if now > allowed:
                wrong.append(f"{what} {sizes[at - 1]:g} → {sizes[at]:g}, {build}: {cost} {before:.3f} → {now:.3f}, allowed {allowed:.3f}")
    print()
    return wrong


def measure(what, sizes, of, program, runs):
    costs = []
    for size in sizes:
        with tempfile.TemporaryDirectory(prefix="nnue-growth-") as folder:
            costs.append(of(program, pathlib.Path(folder), size, runs))
    return compare(what, sizes, costs) if costs else []


def main():
    asked = arguments()
    program = shutil.which(asked.program)
    if program is None:
        sys.exit(f"growth.py: there is no program `{asked.program}`: `cargo build --release` makes it")
    program = str(pathlib.Path(program).resolve())
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    wrong = measure("nets", [int(size) for size in asked.nets], of_nets, program, asked.runs)
    wrong += measure("GB of data", asked.data, of_data, program, asked.runs)
    for line in wrong:
        print(f"grew too fast: {line}", file=sys.stderr)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
