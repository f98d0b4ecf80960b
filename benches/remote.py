#!/usr/bin/env python3
"""What a cluster costs and gives: figures of docs/remote.md, on real servers of this machine.

    python3 benches/remote.py [--net FILE] [--positions N] [--seeds N] [--away N] [--moves N] [--tool STATIC] [PROGRAM]

PROGRAM has the feature `remote`; by default target/release/nnue. STATIC is sent to workers, by default PROGRAM. NNUE_TEST_CASD and
NNUE_TEST_JUSTBUILD name the servers, as for the tests; one that is missing is left out. The net is by default the quick start's. Printed are:
overheads of an action (by the test `overhead_of_a_program`), many searches with some under way on the cluster beside the same here, bytes that
go up and down between gather and search, seconds of a core of stages here, and the table of docs/remote-simulation.py. Everything shares the
processors of this machine: what it shows is what the way there costs, and no more speed than there are cores.
"""

import argparse
import contextlib
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
QUICKSTART = ROOT / "examples" / "quickstart"

HEAD = """version = 1
[source.run]
path = "run.nnue"
{claims}
[data.games]
path = "positions.fen"
[defaults]
prove = false
"""
NET = """[net.{name}]
source = "run"
outputs = ["{name}.nnue"]
[net.{name}.optimize]
data = "games"
positions = {positions}
{search}
"""
REMOTE = """[remote]
url = "{url}"
min-seconds = 0
jobs = {away}
tool = "{tool}"
"""


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--net", default=str(QUICKSTART / "random.nnue"))
    parser.add_argument("--claims", default="", help="lines of the source's table, such as `quantization = \"ft127\"`")
    parser.add_argument("--positions", type=int, default=20_000)
    parser.add_argument("--seeds", type=int, default=60)
    parser.add_argument("--away", type=int, default=4)
    parser.add_argument("--moves", type=int, default=20_000)
    parser.add_argument("--tool")
    parser.add_argument("--no-overhead", action="store_true", help="leave out what builds the tests")
    parser.add_argument("program", nargs="?", default=str(ROOT / "target" / "release" / "nnue"))
    return parser.parse_args()


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def servers():
    """Names of the servers that there are, with what starts them in a folder and the address at a port."""
    casd, justbuild = os.environ.get("NNUE_TEST_CASD"), os.environ.get("NNUE_TEST_JUSTBUILD")
    if casd:
        runner = pathlib.Path(casd).with_name("buildbox-run")
        yield "buildbox-casd", lambda folder, port: [
            casd, f"--bind=127.0.0.1:{port}", f"--buildbox-run={runner}", "--quota-high=4G", "--reserved=1M", "--jobs=4", f"{folder}/store",
        ], "grpc://127.0.0.1:{}"
    if justbuild:
        yield "justbuild", lambda folder, port: [
            justbuild, "execute", "--compatible", "-p", str(port), "--local-build-root", f"{folder}/root",
            "--info-file", f"{folder}/info", "--pid-file", f"{folder}/pid",
        ], "grpc://127.0.0.1:{}/main"


@contextlib.contextmanager
def started(command, url):
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        with open(f"{folder}/log", "wb") as log:
            server = subprocess.Popen(command(folder, port), stdout=log, stderr=log)
        try:
            for _ in range(600):
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                    break
                time.sleep(0.1)
            yield url.format(port)
        finally:
            server.terminate()
            server.wait()


def build(program, manifest, options):
    """Wall seconds of a first build, its report, and what it said."""
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        shutil.copy(options.net, folder / "run.nnue")
        positions = (QUICKSTART / "positions.fen").read_bytes()
        with open(folder / "positions.fen", "wb") as data:
            for _ in range(1 + 2 * options.positions // positions.count(b"\n")):
                data.write(positions)
        (folder / "nnue.toml").write_text(manifest)
        start = time.monotonic()
        ran = subprocess.run([program, "build", "--json", "-v"], cwd=folder, capture_output=True, text=True)
        wall = time.monotonic() - start
        if ran.returncode != 0:
            sys.exit(f"remote.py: `{program} build` failed:\n{ran.stderr}")
        return wall, json.loads(ran.stdout), ran.stderr


def nets(options, count, search):
    text = HEAD.format(claims=options.claims)
    return text + "".join(
        NET.format(name=f"s{seed}", positions=options.positions, search=search.format(seed=seed)) for seed in range(count)
    )


def stages(report, name):
    return [stage for net in report["nets"] for stage in net["stages"] if stage["stage"] == name and stage["status"] == "ran"]


def sweep(options, tool):
    search = f'algorithm = "anneal"\nmoves = {options.moves}\nseed = {{seed}}'
    local = nets(options, options.seeds, search)
    here, report, _ = build(options.program, local, options)
    print(f"| {options.seeds} searches, here | {here:.1f} s | |")
    expected = [net["outputs"] for net in report["nets"]]
    for name, command, url in servers():
        with started(command, url) as address:
            remote = local + REMOTE.format(url=address, away=options.away, tool=tool)
            there, report, said = build(options.program, remote, options)
            again, _, from_cache = build(options.program, remote, options)
            if [net["outputs"] for net in report["nets"]] != expected:
                sys.exit(f"remote.py: other nets with {name} than here")
            print(f"| {name}, {options.away} under way beside one here | {there:.1f} s | {totals(said)} |")
            print(f"| the same, remembered there | {again:.1f} s | {totals(from_cache)} |")


def totals(said):
    found = re.search(r"remote: (.*)", said)
    return found[1] if found else ""


def moved(options, tool):
    """What gather and search move, where the matrix stays on the cluster."""
    manifest = nets(options, 1, "")
    for name, command, url in servers():
        with started(command, url) as address:
            _, report, said = build(options.program, manifest + REMOTE.format(url=address, away=1, tool=tool), options)
            size = 4 * options.positions // 8 * halves(options)
            net = os.path.getsize(options.net)
            print(f"| {name} | {totals(said)} | {size / 1e6:.1f} MB | {net / 1e6:.1f} MB and {os.path.getsize(tool) / 1e6:.1f} MB |")


def halves(options):
    """Pairs of neurons of the net."""
    ran = subprocess.run([options.program, "inspect", "--json", options.net], capture_output=True, text=True, check=True)
    found = re.search(r'"l1": ?(\d+)', ran.stdout)
    return int(found[1]) // 2 if found else 0


def core_seconds(options):
    _, report, _ = build(options.program, nets(options, 1, ""), options)
    cores = os.cpu_count() or 1
    return sum(stage["seconds"] for stage in stages(report, "gather") + stages(report, "search")) * cores


def main():
    options = arguments()
    options.program = str(pathlib.Path(options.program).resolve())
    tool = str(pathlib.Path(options.tool or options.program).resolve())
    load = ", ".join(f"{load:.1f}" for load in os.getloadavg())
    print(f"{options.program}, {os.path.getsize(options.program) / 1e6:.1f} MB; {os.cpu_count()} cores, load {load}\n")
    if not options.no_overhead:
        overhead(options)
    print(f"\n{options.seeds} searches by annealing, {options.moves} moves, {options.positions} positions:\n\n| where | wall | totals of -v |\n| --- | ---: | --- |", flush=True)
    sweep(options, tool)
    print("\ngather → search, the matrix left there:\n\n| cluster | totals of -v | matrices | net and program |\n| --- | --- | ---: | ---: |", flush=True)
    moved(options, tool)
    print(f"\ngather and greedy search here: {core_seconds(options):.2f} core-seconds\n", flush=True)
    subprocess.run([sys.executable, str(ROOT / "docs" / "remote-simulation.py")], check=True)


def overhead(options):
    print("an action beside its computing, medians of 20:", flush=True)
    profile = ["--release"] if "/release/" in options.program else []
    test = ["cargo", "test", "--locked", *profile, "--features", "cloud,remote", "--test", "remote_cache", "--", "--ignored", "--nocapture", "overhead_of_a_program"]
    ran = subprocess.run(test, cwd=ROOT, capture_output=True, text=True)
    print("\n".join(line for line in ran.stdout.splitlines() if line.startswith(("casd:", "justbuild:"))) or ran.stderr)


main()
