#!/usr/bin/env python3
"""Makes docs/demo.svg, the picture in the README: what `nnue` really prints, line after line, in 20 seconds.

    python3 docs/demo.py [PROGRAM]      # default: target/release/nnue, else target/debug/nnue

A test holds the picture against the program's output.
"""

import html
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
COMMANDS = [
    "nnue -C examples/quickstart build",
    "nnue -C examples/quickstart build",
    "nnue -C examples/quickstart status --set net.quickstart.optimize.positions=500",
    "nnue -C examples/quickstart verify",
]
SECONDS = 20
LINE, TOP, LEFT, COLUMN = 21, 58, 18, 7.83


def program():
    if len(sys.argv) > 1:
        return sys.argv[1]
    built = [ROOT / "target" / profile / "nnue" for profile in ("release", "debug")]
    return next((path for path in built if path.exists()), None) or sys.exit("build nnue first: `cargo build --release`")


def session(nnue):
    """Groups of lines: a command with what it prints."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(ROOT / "examples/quickstart", f"{folder}/examples/quickstart", ignore=shutil.ignore_patterns(".nnue", "dist"))
        for command in COMMANDS:
            words = [str(pathlib.Path(nnue).resolve()), *command.split()[1:]]
            done = subprocess.run(words, cwd=folder, check=True, capture_output=True, text=True)
            yield ["$ " + command, *done.stdout.splitlines()]


def colour(line):
    if line.startswith("$ "):
        return "command"
    if line.startswith("  →"):
        return "file"
    if "zero blocks" in line:
        return "gain"
    return "net" if not line.startswith(" ") else "text"


def picture(groups):
    rows, at = [], 0.5
    pause = (SECONDS - 3) / len(groups)
    for group in groups:
        for number, line in enumerate(group):
            rows.append((at + (0 if number == 0 else 0.9 + 0.12 * number), line))
        at += pause
        rows.append((at, ""))
    rows.pop()
    width = round(2 * LEFT + COLUMN * max(len(line) for _, line in rows))
    height = TOP + LINE * len(rows) + 6
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img">',
        "<title>nnue builds the example, finds it up to date, says why it would be stale, and verifies it</title>",
        "<style>",
        "text { font: 13px ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace; white-space: pre; fill: #c9d1d9 }",
        ".command { fill: #ffffff; font-weight: bold } .net { fill: #79c0ff } .gain { fill: #7ee787 } .file { fill: #d2a8ff }",
        "@keyframes show { from { visibility: hidden } to { visibility: visible } }",
        "@media (prefers-reduced-motion: no-preference) { .row { animation: show 0.01s linear both } }",
        "</style>",
        f'<rect width="{width}" height="{height}" rx="8" fill="#0d1117"/>',
        *(f'<circle cx="{22 + 20 * index}" cy="22" r="6" fill="{fill}"/>' for index, fill in enumerate(("#ff5f56", "#ffbd2e", "#27c93f"))),
    ]
    for row, (second, line) in enumerate(rows):
        if line:
            place = f'x="{LEFT}" y="{TOP + LINE * row}" xml:space="preserve"'
            out.append(f'<text class="row {colour(line)}" {place} style="animation-delay:{second:.2f}s">{html.escape(line, quote=False)}</text>')
    return "\n".join([*out, "</svg>", ""])


if __name__ == "__main__":
    (ROOT / "docs/demo.svg").write_text(picture(list(session(program()))), encoding="utf-8")
