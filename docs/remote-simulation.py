#!/usr/bin/env python3
"""How long a sweep takes here and on a cluster: the table of docs/remote.md.

A client sends networks one after the other; whoever of the workers is free takes the oldest that arrived, fetches it, computes, and answers. Core-seconds
are those that docs/speed.md has measured; that more cores compute so much faster is assumed. One run in a hundred dies, which is noticed after 30 seconds.
"""
import heapq
import random

CORES = 8  # of a worker
WORKER_LINK = 125e6  # bytes a second
OVERHEAD = 0.3  # of an action, seconds
DEATHS = 0.01
NOTICED = 30.0

#        what, nets, core-seconds of gather and search, bytes sent for each, bytes sent once
WORK = [
    ("1,000 nets, greedy, L1 = 1024, 100,000 positions", 1000, 0.93, 50e6, 0),
    ("1,000 nets, greedy, L1 = 3072, 1,000,000 positions", 1000, 72.0, 140e6, 40e6),
    ("200 seeds of anneal, L1 = 3072, 10,000 positions", 200, 34.0, 0, 180e6),
    ("200 seeds of anneal, L1 = 3072, 1,000,000 positions (extrapolated)", 200, 3400.0, 0, 180e6),
]
UPLINKS = [("12.5 MB/s", 12.5e6), ("125 MB/s", 125e6), ("1,250 MB/s", 1250e6)]
CLUSTERS = [4, 32]


def on_cluster(nets, core_s, each, once, workers, uplink):
    """Seconds until the last result is there."""
    chance = random.Random(1)
    queue = [(once / uplink + (net + 1) * each / uplink, net) for net in range(nets)]
    heapq.heapify(queue)
    free = [0.0] * workers
    has = [False] * workers
    end = 0.0
    while queue:
        arrived, net = heapq.heappop(queue)
        worker = min(range(workers), key=lambda worker: free[worker])
        start = max(arrived, free[worker])
        fetched = (each + (0 if has[worker] else once)) / WORKER_LINK
        has[worker] = True
        if chance.random() < DEATHS:
            free[worker] = start + fetched + NOTICED
            heapq.heappush(queue, (free[worker], net))
            continue
        free[worker] = start + OVERHEAD + fetched + core_s / CORES
        end = max(end, free[worker])
    return end


def shown(seconds):
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


heads = ["work", "2 cores here", "16 cores here"] + [f"4 / 32 workers, {name} up" for name, _ in UPLINKS]
print("| " + " | ".join(heads) + " |")
print("| --- |" + " ---: |" * (len(heads) - 1))
for what, nets, core_s, each, once in WORK:
    here = [shown(nets * core_s / cores) for cores in (2, 16)]
    there = [" / ".join(shown(on_cluster(nets, core_s, each, once, workers, uplink)) for workers in CLUSTERS) for _, uplink in UPLINKS]
    print("| " + " | ".join([what, *here, *there]) + " |")
