"""Runs commands in turn, several rounds, and makes tables of what they print.

Each command prints one JSON line, or writes a report where its words say `{report}`. Interleaving gives every command the
same share of the machine's good and bad moments; medians and spreads are over the rounds.
"""

import json
import os
import resource
import shlex
import statistics
import subprocess
import sys
import tempfile
import time

# (key, heading, digits): what is compared, each as one number per run.
COLUMNS = [
    ("fps", "fps", 1),
    ("core_ms_per_frame", "core ms/frame", 3),
    ("after_p50", "after source p50 ms", 3),
    ("after_p95", "after source p95 ms", 3),
    ("peak_rss_mb", "peak MB", 1),
    ("allocations", "mallocs/frame", 1),
    ("page_faults", "page faults/frame", 2),
    ("pool_mb", "pools MB", 1),
    ("others", "others %", 1),
]

# A run counts as disturbed when other programs took more than this share of the machine meanwhile.
QUIET_SHARE = 0.05
RETRY_PAUSE_S = 3.0


def flatten(result):
    """One flat dictionary from a baseline's line or a sluice report; None where a number is not known."""
    memory = result.get("memory", {})
    after = result.get("after_source_ms") or result.get("after_decode_ms") or {}
    frames = result.get("frames")
    return {
        "frames": frames.get("delivered") if isinstance(frames, dict) else frames,
        "fps": result.get("fps"),
        "core_ms_per_frame": result.get("cpu_ms_per_frame", result.get("cpu", {}).get("core_ms_per_frame")),
        "after_p50": after.get("p50"),
        "after_p95": after.get("p95"),
        "allocations": memory.get("allocations_per_frame_total", result.get("allocations_per_frame")),
        "page_faults": memory.get("page_faults_per_frame"),
        "pool_mb": memory.get("pool_mb"),
    }


def machine_busy_s():
    """Processor seconds that the whole machine has spent so far, all programs together."""
    with open("/proc/stat", encoding="ascii") as file:
        fields = [int(word) for word in file.readline().split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / os.sysconf("SC_CLK_TCK")  # without idle and waiting


def children_busy_s():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def go_ahead():
    """From here on this program and all it starts run before every other program of the machine."""
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except PermissionError:
        sys.exit("error: --ahead: only root may use real-time scheduling")
    print("all programs run ahead of the rest of the machine (SCHED_RR)")


def run_quiet(name, command, retries):
    """Runs a command again, up to `retries` times, while others disturb it; the least disturbed run counts."""
    best = None
    for attempt in range(retries + 1):
        wall, busy, own = time.monotonic(), machine_busy_s(), children_busy_s()
        result = run_once(name, command)
        others = (machine_busy_s() - busy) - (children_busy_s() - own)
        cores_s = max(time.monotonic() - wall, 1e-3) * (os.cpu_count() or 1)
        result["others"] = max(0.0, 100.0 * others / cores_s)
        if best is None or result["others"] < best["others"]:
            best = result
        if best["others"] <= 100.0 * QUIET_SHARE:
            break
        if attempt < retries:
            time.sleep(RETRY_PAUSE_S)
    return best


def run_once(name, command):
    """Runs one command and returns its flattened result; ends the program when it fails.

    The peak of its memory is read from outside, so that it means the same for every program.
    """
    with tempfile.TemporaryDirectory() as folder:
        report = os.path.join(folder, "report.json")
        words = [word.replace("{report}", report) for word in shlex.split(command)]
        with open(os.path.join(folder, "out"), "w+", encoding="utf-8") as out, \
                open(os.path.join(folder, "err"), "w+", encoding="utf-8") as err:
            with subprocess.Popen(words, stdout=out, stderr=err) as process:
                _, status, usage = os.wait4(process.pid, 0)
                process.returncode = os.waitstatus_to_exitcode(status)
            out.seek(0)
            err.seek(0)
            if process.returncode != 0:
                sys.exit(f"error: {name} ended with {process.returncode}: {err.read().strip()[-400:]}")
            try:
                if os.path.exists(report):
                    with open(report, encoding="utf-8") as file:
                        result = flatten(json.load(file))
                else:
                    result = flatten(json.loads(out.read().splitlines()[-1]))
            except (ValueError, IndexError):
                sys.exit(f"error: {name} printed no JSON line at its end")
    result["peak_rss_mb"] = usage.ru_maxrss * 1024 / 1e6
    return result


def run_rounds(commands, rounds, retries):
    """{name: [result per round]}. Every second round runs backwards, so that no command always follows the same one."""
    results = {name: [] for name in commands}
    for number in range(rounds):
        order = list(commands) if number % 2 == 0 else list(reversed(list(commands)))
        for name in order:
            results[name].append(run_quiet(name, commands[name], retries))
            if sys.stderr.isatty():
                print(f"\rround {number + 1} of {rounds}: {name:<24}", end="", file=sys.stderr, flush=True)
    if sys.stderr.isatty():
        print("\r" + " " * 60 + "\r", end="", file=sys.stderr)
    return results


def summarise(runs):
    """Per column the values of all rounds, their median and spread ((max - min) / median); None where unknown."""
    summary = {}
    for key, _, _ in COLUMNS:
        values = [run.get(key) for run in runs]
        if any(value is None for value in values):
            summary[key] = None
            continue
        middle = statistics.median(values)
        spread = (max(values) - min(values)) / middle if middle else 0.0
        summary[key] = {"median": middle, "spread": spread, "min": min(values), "max": max(values), "values": values}
    return summary


def ratios(summaries, key, name, reference):
    """`name` over `reference`, round by round: their moments on the machine are next to each other. None if unknown."""
    over, under = summaries[name].get(key), summaries[reference].get(key)
    if not over or not under or not all(under["values"]):
        return None
    return [a / b for a, b in zip(over["values"], under["values"])]


def ratio(summaries, key, name, reference):
    """Median of the ratios of all rounds, or None."""
    all_rounds = ratios(summaries, key, name, reference)
    return statistics.median(all_rounds) if all_rounds else None


def table(summaries, reference):
    """Lines of a table: per command median, spread in percent, and ratio to the reference command."""
    heads = ["program"] + [head for _, head, _ in COLUMNS]
    rows = [heads]
    for name, summary in summaries.items():
        row = [name]
        for key, _, digits in COLUMNS:
            cell = summary[key]
            if cell is None:
                row.append("-")
                continue
            if key == "others":
                row.append(f"{cell['median']:.{digits}f}, max {cell['max']:.0f}")
                continue
            times = ratio(summaries, key, name, reference)
            row.append(f"{cell['median']:.{digits}f} ±{cell['spread'] * 50:.0f}%"
                       + (f" x{times:.2f}" if times is not None and name != reference else ""))
        rows.append(row)
    widths = [max(len(row[i]) for row in rows) for i in range(len(heads))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]


def print_part(title, summaries, reference):
    print(f"{title} (median ± half spread, ratio to {reference})")
    for line in table(summaries, reference):
        print("  " + line)
