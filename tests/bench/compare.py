#!/usr/bin/env python3
"""Runs commands in turn, several rounds, and compares what they print.

Each command prints one JSON line: either a hand-written program of tests/bench/baseline, or `sluice run` (its command
then holds `{report}`, the place of the report file). Interleaving gives every command the same share of the machine's
good and bad moments; medians and spreads are over the rounds.

  compare.py run [--rounds K] [--reference NAME] NAME='COMMAND ...' ...
  compare.py video --build build/release --model 128     (what `tools/dev bench video` runs)

Exit codes: 0 compared; 1 a command failed; 2 wrong usage; 4 the hand-written programs' ratio says `invalid`, or with
--check a limit was missed.
"""

import argparse
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
    ("others", "others %", 1),
]

# Frames per second of the hand-written programs as measured once on a quiet machine; only their ratio is used, because
# it says whether this machine, at this moment, can tell one program from another.
KNOWN_FPS = {128: {"1thread": 517.0, "3threads": 828.0}, 256: {"1thread": 223.0, "3threads": 241.0}}
RATIO_TOLERANCE = 0.15

# A run counts as disturbed when other programs took more than this share of the machine meanwhile.
QUIET_SHARE = 0.05
RETRY_PAUSE_S = 3.0

SAMPLE_FRAMES = 249  # in face720.mp4; loops times this is what a run processes


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
        "peak_rss_mb": result.get("peak_rss_mb", memory.get("peak_rss_mb")),
        "allocations": memory.get("allocations_per_frame_total", result.get("allocations_per_frame")),
    }


def machine_busy_s():
    """Processor seconds that the whole machine has spent so far, all programs together."""
    with open("/proc/stat", encoding="ascii") as file:
        fields = [int(word) for word in file.readline().split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / os.sysconf("SC_CLK_TCK")  # without idle and waiting


def children_busy_s():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def run_quiet(name, command, retries):
    """Runs a command again, up to `retries` times, while others disturb it; the least disturbed run counts."""
    best = None
    for attempt in range(retries + 1):
        wall, busy, own = time.monotonic(), machine_busy_s(), children_busy_s()
        result = run_once(name, command)
        wall = max(time.monotonic() - wall, 1e-3)
        others = (machine_busy_s() - busy) - (children_busy_s() - own)
        result["others"] = max(0.0, 100.0 * others / (wall * (os.cpu_count() or 1)))
        if best is None or result["others"] < best["others"]:
            best = result
        if best["others"] <= 100.0 * QUIET_SHARE:
            break
        if attempt < retries:
            time.sleep(RETRY_PAUSE_S)
    return best


def run_once(name, command):
    """Runs one command and returns its flattened result; ends the program when it fails."""
    with tempfile.TemporaryDirectory() as folder:
        report = os.path.join(folder, "report.json")
        words = [word.replace("{report}", report) for word in shlex.split(command)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"error: {name} ended with {done.returncode}: {done.stderr.strip()[-400:]}")
        try:
            if os.path.exists(report):
                with open(report, encoding="utf-8") as file:
                    return flatten(json.load(file))
            return flatten(json.loads(done.stdout.splitlines()[-1]))
        except (ValueError, IndexError):
            sys.exit(f"error: {name} printed no JSON line at its end")


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
    """Median and spread ((max - min) / median) per column; None where unknown."""
    summary = {}
    for key, _, _ in COLUMNS:
        values = [run[key] for run in runs if run.get(key) is not None]
        if not values:
            summary[key] = None
            continue
        middle = statistics.median(values)
        spread = (max(values) - min(values)) / middle if middle else 0.0
        summary[key] = {"median": middle, "spread": spread, "min": min(values), "max": max(values)}
    return summary


def ratio(summaries, key, name, reference):
    """Median of `name` over median of `reference`, or None."""
    over, under = summaries[name].get(key), summaries[reference].get(key)
    if not over or not under or not under["median"]:
        return None
    return over["median"] / under["median"]


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


def validity(summaries, model):
    """The sentence about the hand-written programs' own ratio, and whether it is as known."""
    known = KNOWN_FPS[model]
    expected = known["3threads"] / known["1thread"]
    measured = ratio(summaries, "fps", "3threads", "1thread")
    deviation = measured / expected - 1.0
    valid = abs(deviation) <= RATIO_TOLERANCE
    disturbed = max(part["others"]["max"] for part in summaries.values()) > 100.0 * QUIET_SHARE
    note = "; other programs disturbed the runs" if disturbed else ""
    return (f"{'valid' if valid else 'invalid'}: 3threads / 1thread is {measured:.2f}, known {expected:.2f} "
            f"({deviation:+.0%}, allowed ±{RATIO_TOLERANCE:.0%}){note}"), valid


def limits(fast, paced):
    """The comparisons that must hold, as (sentence, holds). Only what was measured on both sides."""
    rivals = [name for name in fast if name != "sluice"]

    def best(key, choose, part=fast):
        return choose(part[name][key]["median"] for name in rivals if part[name][key])

    def mine(key, part=fast):
        return part["sluice"][key]["median"] if part["sluice"][key] else None

    checks = [
        ("fps at least the best", mine("fps"), best("fps", max), "min"),
        ("core ms/frame at most 1.05 x the leanest", mine("core_ms_per_frame"),
         1.05 * best("core_ms_per_frame", min), "max"),
        ("peak MB at most 1.25 x the leanest", mine("peak_rss_mb"), 1.25 * best("peak_rss_mb", min), "max"),
        ("mallocs/frame at most 5 above the leanest", mine("allocations"), best("allocations", min) + 5.0, "max"),
    ]
    if paced:
        one = paced["1thread"]
        # A percent of a core is 10 ms in a second; per frame that depends on the rate.
        core = one["core_ms_per_frame"]["median"] + 10.0 / one["fps"]["median"]
        checks += [
            ("paced: after source p50 at most 0.3 ms above 1thread", mine("after_p50", paced),
             one["after_p50"]["median"] + 0.3, "max"),
            ("paced: after source p95 at most 0.6 ms above 1thread", mine("after_p95", paced),
             one["after_p95"]["median"] + 0.6, "max"),
            ("paced: CPU at most 1 % of a core above 1thread", mine("core_ms_per_frame", paced), core, "max"),
        ]
    out = []
    for sentence, value, limit, kind in checks:
        holds = value is not None and (value >= limit if kind == "min" else value <= limit)
        shown = "unknown" if value is None else f"{value:.3f}"
        out.append((f"{'holds ' if holds else 'missed'} {sentence}: {shown}, limit {limit:.3f}", holds))
    return out


def baseline_commands(args, fps, loops, only=None):
    """The hand-written programs' commands by short name."""
    names = {128: "face_detection_front_128x128.onnx", 256: "face_detection_back_256x256.onnx"}
    model = args.model_path or os.path.join(args.cache, "models", names[args.model])
    commands = {}
    for name in only or ("1thread", "3threads", "2workers"):
        program = find_program(args, f"bench_baseline_{name}")
        commands[name] = shlex.join([program, "--model", str(args.model), model, "--video", args.video, "--loops",
                                     str(loops), "--fps", str(fps), "--fit", args.fit, "--json"])
    return commands


def find_program(args, name):
    """The built program, wherever in the build folder it lies."""
    for folder, _, files in os.walk(args.build):
        if name in files and os.access(os.path.join(folder, name), os.X_OK):
            return os.path.join(folder, name)
    sys.exit(f"error: {name} is not in {args.build}; build the benchmarks first")


def sluice_command(args, pace, frames):
    """`sluice run` over as many frames of the same video, looped."""
    source = args.source
    words = [os.path.join(args.build, "bin", "sluice"), "run", args.pipeline, "--pace", str(pace), "--frames",
             str(frames), "--set", f"{source}.uri={args.video}", "--set", f"{source}.loop=true"]
    for setting in args.set:
        words += ["--set", setting]
    return shlex.join(words + ["--quiet", "--report", "{report}"])


def compare_video(args):
    """The comparison of `tools/dev bench video`: as fast as possible, then at 30 frames per second."""
    loops = args.loops
    commands = baseline_commands(args, 0, loops)
    if not args.baselines_only:
        commands["sluice"] = sluice_command(args, "max", loops * SAMPLE_FRAMES)
    fast = {name: summarise(runs) for name, runs in run_rounds(commands, args.rounds, args.retries).items()}
    print_part(f"BlazeFace {args.model}, as fast as possible", fast, "1thread")

    paced = {}
    if args.paced_loops > 0:
        commands = baseline_commands(args, 30, args.paced_loops)
        if not args.baselines_only:
            commands["sluice"] = sluice_command(args, 30, args.paced_loops * SAMPLE_FRAMES)
        paced = {name: summarise(runs) for name, runs in run_rounds(commands, args.rounds, args.retries).items()}
        print_part(f"BlazeFace {args.model}, at 30 frames per second", paced, "1thread")

    sentence, valid = validity(fast, args.model)
    print(sentence)
    checks = [] if args.baselines_only else limits(fast, paced)
    for line, _ in checks:
        print(line)
    if args.json:
        with open(args.json, "w", encoding="utf-8") as file:
            json.dump({"model": args.model, "valid": valid, "fast": fast, "paced": paced}, file, indent=1)
    missed = args.check and not all(holds for _, holds in checks)
    return 0 if valid and not missed else 4


def compare_any(args):
    """Compares the commands given on the command line."""
    commands = {}
    for word in args.commands:
        name, equals, command = word.partition("=")
        if not equals or not command:
            sys.exit(2)
        commands[name] = command
    reference = args.reference or next(iter(commands))
    summaries = {name: summarise(runs) for name, runs in run_rounds(commands, args.rounds, args.retries).items()}
    print_part(f"{args.rounds} rounds", summaries, reference)
    if args.json:
        with open(args.json, "w", encoding="utf-8") as file:
            json.dump(summaries, file, indent=1)
    return 0


def parse_arguments():
    cache = os.environ.get("SLUICE_CACHE") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "sluice")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(dest="kind", required=True)
    plain = kinds.add_parser("run", help="compare any commands")
    plain.add_argument("commands", nargs="+", metavar="NAME=COMMAND")
    plain.add_argument("--reference", help="name that the ratios are over (default: the first)")
    video = kinds.add_parser("video", help="compare sluice with the hand-written programs")
    video.add_argument("--build", default="build/release")
    video.add_argument("--cache", default=cache)
    video.add_argument("--model", type=int, choices=(128, 256), default=128)
    video.add_argument("--model-path", help="another file than the cache's")
    video.add_argument("--video", help="another file than the cache's face720.mp4")
    video.add_argument("--fit", choices=("letterbox", "stretch"), default="letterbox",
                       help="the baselines', as in the pipeline")
    video.add_argument("--pipeline", help="default: face_fast for model 128, face_detect for 256")
    video.add_argument("--source", default="camera", help="id of the pipeline's video_source")
    video.add_argument("--set", action="append", default=[], metavar="NODE.OPTION=VALUE", help="passed on to sluice")
    video.add_argument("--loops", type=int, default=8, help="of the video, as fast as possible")
    video.add_argument("--paced-loops", type=int, default=2, help="of the video at 30 fps; 0 = leave that part out")
    video.add_argument("--baselines-only", action="store_true")
    video.add_argument("--check", action="store_true", help="exit 4 when a limit is missed")
    for kind in (plain, video):
        kind.add_argument("--rounds", type=int, default=5)
        kind.add_argument("--retries", type=int, default=0, help="of a run that other programs disturbed")
        kind.add_argument("--json", help="also write the numbers to this file")
    args = parser.parse_args()
    if args.kind == "video":
        args.pipeline = args.pipeline or f"pipelines/{'face_fast' if args.model == 128 else 'face_detect'}.yaml"
        args.video = os.path.abspath(args.video or os.path.join(args.cache, "videos", "face720.mp4"))
    return args


def main():
    args = parse_arguments()
    return compare_video(args) if args.kind == "video" else compare_any(args)


if __name__ == "__main__":
    sys.exit(main())
