#!/usr/bin/env python3
"""demo_summary.py DIR: tells what the demo found, from DIR/face_detect.jsonl, and how fast, from DIR/report.json."""
import json
import os
import sys


def number(value, unit=''):
    return 'unknown' if value is None else f'{value:.1f}{unit}'


def main():
    folder = sys.argv[1]
    with open(os.path.join(folder, 'report.json'), encoding='utf-8') as source:
        report = json.load(source)
    with open(os.path.join(folder, 'face_detect.jsonl'), encoding='utf-8') as source:
        lines = [json.loads(line) for line in source if line.strip()]
    faces = [len(line.get('detections') or []) for line in lines]
    frames, latency = report['frames'], report['latency_ms']
    dropped = sum(frames['dropped'].values())
    print(f'found   {sum(faces)} faces in {sum(1 for n in faces if n)} of {len(lines)} frames')
    print(f'frames  {frames["produced"]} produced = {frames["delivered"]} delivered + {dropped} dropped')
    print(f'speed   {number(report["fps"])} frames per second, '
          f'latency p50 {number(latency["p50"], " ms")}, p95 {number(latency["p95"], " ms")}')
    for node in report.get('inference', []):
        print(f'model   {node["model"]} on {node["backend"]}, p50 {number(node["latency_ms"]["p50"], " ms")}')
    video = os.path.join(folder, 'face_detect.mp4')
    if os.path.exists(video):
        print(f'video   {os.path.relpath(video)}')
    return 0 if sum(faces) and frames['produced'] == frames['delivered'] + dropped else 1


if __name__ == '__main__':
    sys.exit(main())
