#!/usr/bin/env python3
"""Compares programs that do the same work, run in turn: hand-written ones of tests/bench/baseline, what others build with
their frameworks (tests/bench/rivals), and `sluice run` (its command holds `{report}`, the place of the report file).

  compare.py run [--rounds K] [--reference NAME] NAME='COMMAND ...' ...
  compare.py video --build build/release --model 128     (what `tools/dev bench video` runs)
  compare.py streams --build build/release               (what `tools/dev bench streams` runs)

Exit codes: 0 compared; 1 a command failed; 2 wrong usage; 4 the hand-written programs' ratio says `invalid`, or with
--check a limit was missed.
"""

import argparse
import json
import os
import shlex
import statistics
import sys
import tempfile

from rounds import COLUMNS, QUIET_SHARE, print_part, ratio, ratios, run_rounds, summarise

# Frames per second of the hand-written programs as measured once on a quiet machine; only their ratio is used, because
# it says whether this machine, at this moment, can tell one program from another.
KNOWN_FPS = {128: {"1thread": 517.0, "3threads": 828.0}, 256: {"1thread": 223.0, "3threads": 241.0}}
RATIO_TOLERANCE = 0.15

HAND_WRITTEN = ("1thread", "3threads", "2workers")

# The same work as all others do, faces counted; and the pipeline as it is shipped, which writes a line of JSON per frame.
SLUICE = ("sluice", "sluice+json")

# What others build the same pipeline with, where it is installed: Sluice is ahead of each.
OTHERS = ("gstreamer", "mediapipe")

# Of the fastest number of streams' total rate that every other one has, and the row that no limit is about.
STREAMS_SHARE = 0.9
DECODER = "decoder"

SAMPLE_FRAMES = 249  # in face720.mp4; loops times this is what a run processes


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


def stages_allow(summaries):
    """Tells a machine on which decoding costs another share than elsewhere from a weak program; decides nothing."""
    frame_ms, after_ms = 1000.0 / summaries["1thread"]["fps"]["median"], summaries["1thread"]["after_p50"]["median"]
    allowed = 1000.0 / max(frame_ms - after_ms, after_ms)
    return (f"1thread decodes in {frame_ms - after_ms:.2f} ms and takes {after_ms:.2f} ms after it: stages allow "
            f"{allowed:.1f} fps, 3threads reaches {summaries['3threads']['fps']['median'] / allowed:.2f} of that")


def share_of(part, name, key, best, limit, among=None):
    """(sentence, holds): `name`'s share of the best figure of the hand-written programs (or of `among`), and its spread."""
    heading = next(head for k, head, _ in COLUMNS if k == key)
    rivals = [rival for rival in part if rival in (among or HAND_WRITTEN) and part[rival][key]]
    rival = best(rivals, key=lambda name: part[name][key]["median"])
    shares = ratios(part, key, name, rival)
    if shares is None:
        return f"missed {heading}: unknown", False
    middle = statistics.median(shares)
    holds = middle >= limit if best is max else middle <= limit
    return (f"{'holds ' if holds else 'missed'} {heading}: {middle:.3f} ({min(shares):.3f} to {max(shares):.3f}) of "
            f"{rival}, {'at least' if best is max else 'at most'} {limit:.2f}"), holds


def above(part, name, key, rival, limit, what, scale=None):
    """(sentence, holds): how far `name`'s figure is above the rival's, with its spread over the rounds."""
    mine, theirs = part[name][key], part[rival][key]
    if not mine or not theirs:
        return f"missed {what}: unknown", False
    scales = part[name][scale]["values"] if scale else [1.0] * len(mine["values"])
    gaps = [(a - b) * s for a, b, s in zip(mine["values"], theirs["values"], scales)]
    middle = statistics.median(gaps)
    return (f"{'holds ' if middle <= limit else 'missed'} {what}: {middle:+.3f} ({min(gaps):+.3f} to {max(gaps):+.3f}) "
            f"above {rival}, at most {limit:.2f}"), middle <= limit


def limits(fast, paced, name):
    """What must hold of `name`, one of SLUICE, as (sentence, holds)."""
    leanest = min(HAND_WRITTEN, key=lambda rival: fast[rival]["allocations"]["median"])
    checks = [
        share_of(fast, name, "fps", max, 1.0),
        share_of(fast, name, "core_ms_per_frame", min, 1.05),
        share_of(fast, name, "peak_rss_mb", min, 1.25),
        above(fast, name, "allocations", leanest, 5.0, "mallocs/frame"),
    ]
    if paced:
        checks += [
            above(paced, name, "after_p50", "1thread", 0.3, "at 30 fps: after source p50 ms"),
            above(paced, name, "after_p95", "1thread", 0.6, "at 30 fps: after source p95 ms"),
            # core ms per frame times frames per second is tenths of a percent of a core
            above(paced, name, "core_ms_per_frame", "1thread", 10.0, "at 30 fps: CPU, tenths of a percent of a core", "fps"),
        ]
    for rival in OTHERS:
        if rival in fast:
            checks += [share_of(fast, name, key, best, 1.0, [rival])
                       for key, best in (("fps", max), ("core_ms_per_frame", min))]
        if rival in paced:
            checks.append(share_of(paced, name, "after_p50", min, 1.0, [rival]))
    return checks


MODEL_FILES = {128: "face_detection_front_128x128.onnx", 256: "face_detection_back_256x256.onnx"}


def rival_commands(args, fps, loops):
    """The commands of the hand-written programs and of what else is built, by short name."""
    model = args.model_path or os.path.join(args.cache, "models", MODEL_FILES[args.model])
    programs = {name: find_program(args, f"bench_baseline_{name}", True) for name in HAND_WRITTEN}
    programs["gstreamer"] = find_program(args, "bench_gstreamer_faces", False)
    words = {name: [program] for name, program in programs.items() if program is not None}
    if args.mediapipe and args.model == 128 and args.fit == "letterbox":
        words["mediapipe"] = [args.mediapipe, os.path.join(os.path.dirname(__file__), "rivals", "mediapipe_faces.py")]
    return {name: shlex.join([*program, "--model", str(args.model), model, "--video", args.video, "--loops", str(loops),
                              "--fps", str(fps), "--fit", args.fit, "--json"]) for name, program in words.items()}


def find_program(args, name, must):
    """The built program, wherever in the build folder it lies; None if it need not be there."""
    for folder, _, files in os.walk(args.build):
        if name in files and os.access(os.path.join(folder, name), os.X_OK):
            return os.path.join(folder, name)
    if must:
        sys.exit(f"error: {name} is not in {args.build}; build the benchmarks first")
    print(f"{name} is not built: tools/dev setup --bench, then configure and build again", file=sys.stderr)
    return None


def sluice_commands(args, folder, pace, frames):
    """`sluice run` over as many frames of the same video, looped: by name of SLUICE, or of the pipeline asked for alone."""
    if args.pipeline:
        pipelines = {SLUICE[0]: args.pipeline}
    else:
        pipelines = {SLUICE[0]: face_pipeline(args, folder, True), SLUICE[1]: face_pipeline(args, folder, False)}
    commands = {}
    for name, pipeline in pipelines.items():
        words = [os.path.join(args.build, "bin", "sluice"), "run", pipeline, "--pace", str(pace), "--frames", str(frames),
                 "--set", f"{args.source}.uri={args.video}", "--set", f"{args.source}.loop=true"]
        for setting in args.set:
            words += ["--set", setting]
        commands[name] = shlex.join(words + ["--quiet", "--report", "{report}"])
    return commands


def face_pipeline(args, folder, counts):
    """Path of face_fast with the model that is compared; when it `counts`, nothing is written of its faces."""
    with open("pipelines/face_fast.yaml", encoding="utf-8") as file:
        text = "".join(line for line in file if "sha256:" not in line)
    model = args.model_path or os.path.join(args.cache, "models", MODEL_FILES[args.model])
    changes = {f"../data/models/{MODEL_FILES[128]}": os.path.abspath(model)}
    if counts:
        changes['type: json_sink,  inputs: boxes,  options: {path: "-"}'] = "type: null_sink, inputs: boxes"
    for old, new in changes.items():
        if old not in text:
            sys.exit(f"error: pipelines/face_fast.yaml does not say '{old}'")
        text = text.replace(old, new)
    path = os.path.join(folder, f"face{args.model}{'' if counts else '_json'}.yaml")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def compare_video(args):
    """The comparison of `tools/dev bench video`: as fast as possible, then at 30 frames per second."""
    with tempfile.TemporaryDirectory() as folder:
        return compare_faces(args, folder)


def compare_faces(args, folder):
    def measured(fps, pace, loops):
        commands = rival_commands(args, fps, loops)
        if not args.baselines_only:
            commands |= sluice_commands(args, folder, pace, loops * SAMPLE_FRAMES)
        return {name: summarise(runs) for name, runs in run_rounds(commands, args.rounds, args.retries).items()}

    fast = measured(0, "max", args.loops)
    print_part(f"BlazeFace {args.model}, as fast as possible", fast, "1thread")
    paced = {}
    if args.paced_loops > 0:
        paced = measured(30, 30, args.paced_loops)
        print_part(f"BlazeFace {args.model}, at 30 frames per second", paced, "1thread")

    sentence, valid = validity(fast, args.model)
    print("\n".join([sentence, stages_allow(fast)]))
    missed = False
    for name in (name for name in SLUICE if name in fast):
        checks = limits(fast, paced, name)
        missed |= name == SLUICE[0] and not all(holds for _, holds in checks)
        print("\n".join([f"{name}:"] + ["  " + line for line, _ in checks]))
    if args.json:
        with open(args.json, "w", encoding="utf-8") as file:
            json.dump({"model": args.model, "valid": valid, "fast": fast, "paced": paced}, file, indent=1)
    return 4 if not valid or (args.check and missed) else 0


def stream_pipeline(count, model, video):
    """many_streams with that many sources, as text."""
    lines = ["version: 1", f"name: streams{count}", f"models: {{face: {{path: {model}}}}}", "nodes:"]
    for i in range(count):
        lines += [
            f"  - {{id: camera{i}, type: video_source, options: {{uri: {video}, loop: true}}}}",
            f"  - {{id: pre{i}, type: preprocess, inputs: camera{i}, options: {{model: face, fit: letterbox, mean: 127.5, "
            "std: 127.5}}",
            f"  - {{id: face{i}, type: infer, inputs: pre{i}, options: {{model: face, batch: {{max: 4, wait_ms: 2}}}}}}",
            f"  - {{id: boxes{i}, type: detect, inputs: face{i}, options: {{decoder: blazeface, min_score: 0.7}}}}",
            f"  - {{id: out{i}, type: null_sink, inputs: boxes{i}}}",
        ]
    return "\n".join(lines) + "\n"


def decoder_pipeline(video):
    """One stream that is decoded and thrown away, as text: what one stream can reach, whatever follows its decoder."""
    return "\n".join(["version: 1", "name: decoder", "nodes:",
                      f"  - {{id: camera0, type: video_source, options: {{uri: {video}, loop: true}}}}",
                      "  - {id: out0, type: null_sink, inputs: camera0}"]) + "\n"


def total_rate(summaries, counts):
    """(sentences, holds): the slowest number of streams beside the fastest one, and how much of that a decoder allows."""
    fastest = str(max(counts, key=lambda count: summaries[str(count)]["fps"]["median"]))
    shares = {count: ratio(summaries, "fps", str(count), fastest) for count in counts}
    slowest = min(counts, key=lambda count: shares[count])
    holds = shares[slowest] >= STREAMS_SHARE
    sentences = [f"{'holds ' if holds else 'missed'} total rate: {slowest} of {fastest} streams' {shares[slowest]:.3f}, at "
                 f"least {STREAMS_SHARE:.2f}; each: " + ", ".join(f"{n} {share:.3f}" for n, share in shares.items())]
    alone = ratio(summaries, "fps", DECODER, fastest)
    sentences.append(f"a decoder's one thread alone reaches {alone:.3f} of it: no more can be had of one stream")
    return sentences, holds


def compare_streams(args):
    """One to sixteen streams that share a session: the total rate, and what a further stream costs in memory."""
    model = os.path.join(args.cache, "models", "face_detection_front_128x128_batch.onnx")
    program = os.path.join(args.build, "bin", "sluice")
    pipelines = {str(count): (count, stream_pipeline(count, model, args.video)) for count in args.counts}
    pipelines[DECODER] = (1, decoder_pipeline(args.video))
    with tempfile.TemporaryDirectory() as folder:
        commands = {}
        for name, (count, text) in pipelines.items():
            path = os.path.join(folder, f"{name}.yaml")
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            frames = max(60, args.frames // count)
            words = [program, "run", path, "--pace", "max", "--frames", str(frames), "--quiet", "--report", "{report}"]
            commands[name] = shlex.join(words)
        results = run_rounds(commands, args.rounds, args.retries)
    summaries = {name: summarise(runs) for name, runs in results.items()}
    print_part("streams that share one session, as fast as possible", summaries, str(args.counts[0]))
    sentences, holds = total_rate(summaries, args.counts)
    print("\n".join(sentences))
    first, last = (summaries[str(args.counts[end])] for end in (0, -1))
    more = args.counts[-1] - args.counts[0]
    grown = (last["peak_rss_mb"]["median"] - first["peak_rss_mb"]["median"]) / more
    pools = (last["pool_mb"]["median"] - first["pool_mb"]["median"]) / more
    print(f"memory per further stream: {grown:.1f} MB, of which planned pools {pools:.1f} MB")
    return 4 if args.check and not holds else 0


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
    video.add_argument("--model", type=int, choices=(128, 256), default=128)
    video.add_argument("--model-path", help="another file than the cache's")
    video.add_argument("--fit", choices=("letterbox", "stretch"), default="letterbox",
                       help="the baselines', as in the pipeline")
    video.add_argument("--pipeline", help="default: face_fast, with the model that is asked for")
    video.add_argument("--source", default="camera", help="id of the pipeline's video_source")
    video.add_argument("--set", action="append", default=[], metavar="NODE.OPTION=VALUE", help="passed on to sluice")
    video.add_argument("--mediapipe", help="the Python that has MediaPipe; it takes part with the 128 model and letterbox")
    video.add_argument("--loops", type=int, default=8, help="of the video, as fast as possible")
    video.add_argument("--paced-loops", type=int, default=2, help="of the video at 30 fps; 0 = leave that part out")
    video.add_argument("--baselines-only", action="store_true")
    streams = kinds.add_parser("streams", help="one to sixteen streams that share a session")
    streams.add_argument("--counts", type=int, nargs="+", default=[1, 2, 4, 8, 16], metavar="N", help="numbers of streams")
    streams.add_argument("--frames", type=int, default=2000, help="of all streams together")
    for kind in (video, streams):
        kind.add_argument("--build", default="build/release")
        kind.add_argument("--cache", default=cache)
        kind.add_argument("--video", help="another file than the cache's face720.mp4")
        kind.add_argument("--check", action="store_true", help="exit 4 when a limit is missed")
    for kind in (plain, video, streams):
        kind.add_argument("--rounds", type=int, default=5)
        kind.add_argument("--retries", type=int, default=0, help="of a run that other programs disturbed")
        kind.add_argument("--ahead", action="store_true", help="before every other program of a machine that is not quiet "
                          "(real-time scheduling, as root); says nothing of 30 fps, where others run between frames")
        kind.add_argument("--json", help="also write the numbers to this file")
    args = parser.parse_args()
    if args.kind != "run":
        args.video = os.path.abspath(args.video or os.path.join(args.cache, "videos", "face720.mp4"))
    return args


def main():
    args = parse_arguments()
    if args.ahead:
        go_ahead()
    return {"video": compare_video, "streams": compare_streams, "run": compare_any}[args.kind](args)


if __name__ == "__main__":
    sys.exit(main())
