#!/usr/bin/env python3
"""Traces of real runs: they follow the rules of the Trace Event Format, and say the same as the report.

  SLUICE_PROGRAM=build/release/bin/sluice trace_cases.py
"""
import collections
import json
import os
import unittest

from run_pipelines import ROOT, Program, lost


class Trace:
    """A trace file, read strictly: whatever a viewer would skip silently is an error here."""

    def __init__(self, path):
        with open(path, encoding='utf-8') as source:
            document = json.load(source)
        self.other = document['otherData']
        self.events = document['traceEvents']
        self.by_phase = collections.defaultdict(list)
        for event in self.events:
            assert isinstance(event['pid'], int) and event['ts'] >= 0, event
            self.by_phase[event['ph']].append(event)
        assert set(self.by_phase) <= set('MXbeiC'), set(self.by_phase)

    def slices(self, category):
        return [event for event in self.by_phase['X'] if event['cat'] == category]

    def begins(self, category):
        return [event for event in self.by_phase['b'] if event['cat'] == category]

    def drops(self):
        """{(node, reason): count}"""
        marks = [event for event in self.by_phase['i'] if event['cat'] == 'drop']
        return collections.Counter((event['name'].split(' at ')[1], event['args']['result']) for event in marks)

    def check_threads(self, case):
        """Slices of a thread lie one after the other or inside one another, and each thread has a name."""
        named = {event['tid'] for event in self.by_phase['M'] if event['name'] == 'thread_name'}
        threads = collections.defaultdict(list)
        for event in self.by_phase['X']:
            case.assertGreaterEqual(event['dur'], 0)
            threads[event['tid']].append((round(event['ts'] * 1e3), round((event['ts'] + event['dur']) * 1e3)))
        case.assertLessEqual(set(threads), named)
        for spans in threads.values():
            open_ends = []
            for begin, end in sorted(spans, key=lambda span: (span[0], -span[1])):
                while open_ends and open_ends[-1] <= begin + 1:  # nanoseconds, rounded
                    open_ends.pop()
                case.assertTrue(not open_ends or end <= open_ends[-1] + 1, (begin, end, open_ends))
                open_ends.append(end)

    def check_pairs(self, case):
        """Each asynchronous slice begins once and ends once, later."""
        begins = {(event['cat'], event['id']): event for event in self.by_phase['b']}
        ends = {(event['cat'], event['id']): event for event in self.by_phase['e']}
        case.assertEqual(len(begins), len(self.by_phase['b']))
        case.assertEqual(set(begins), set(ends))
        for key, begin in begins.items():
            case.assertEqual(begin['name'], ends[key]['name'])
            case.assertLessEqual(begin['ts'], ends[key]['ts'])

    def check_arrows(self, case):
        """The runs of a frame hang on the frame's own slice."""
        frames = {event['bind_id'] for event in self.begins('frame')}
        for event in self.slices('node'):
            case.assertIn(event['bind_id'], frames)


class Traces(Program):
    def trace_of(self, name, *words):
        """(the trace of a run of a shipped pipeline, its report); both say the same."""
        _, report = self.run_pipeline(name, '--trace', self.at('trace.json'), *words)
        trace = Trace(self.at('trace.json'))
        trace.check_threads(self)
        trace.check_pairs(self)
        trace.check_arrows(self)
        self.check_counts(trace, report)
        return trace, report

    def check_counts(self, trace, report):
        self.assertEqual(report['trace']['lost'], 0)
        self.assertEqual(trace.other, {'pipeline': report['pipeline'], 'lost': 0})
        results = collections.Counter((event['name'], event['args']['result']) for event in trace.slices('node'))
        waits = collections.Counter(event['name'] for event in trace.begins('wait'))
        drops = trace.drops()
        sources = {source['id'] for source in report['sources']}
        for node in report['nodes']:
            dropped = {reason: drops[(node['id'], reason)] for reason in node['dropped']}
            self.assertEqual(dropped, node['dropped'], node['id'])
            if node['id'] in sources:
                continue
            self.assertEqual(results[(node['id'], 'processed')], node['processed'], node['id'])
            self.assertEqual(results[(node['id'], 'filtered')], node['filtered'], node['id'])
        self.assertEqual(sum(drops.values()), sum(map(lost, report['nodes'])))
        frames = collections.Counter((event['name'], event['args']['result']) for event in trace.begins('frame'))
        for source in report['sources']:
            self.assertEqual(frames[(source['id'] + ' frame', 'delivered')], source['delivered'])
        self.assertTrue(waits)

    def test_every_frame_is_in_it(self):
        trace, report = self.trace_of('face_fast', '--frames', '200')
        self.assertEqual([event['args']['frame'] for event in trace.slices('capture')], list(range(200)))
        self.assertEqual(report['memory']['allocations_per_frame'], 0.0)
        levels = collections.defaultdict(list)
        for event in trace.by_phase['C']:
            levels[event['name']].append(event['args'])
        flight = [level['frames'] for level in levels['in flight camera']]
        self.assertEqual(min(flight), 0)
        self.assertEqual(flight[-1], 0)
        self.assertGreater(max(flight), 0)
        self.assertIn('pool pre.tensor', levels)
        decisions = [event for event in trace.by_phase['i'] if event['cat'] == 'decision']
        self.assertEqual([event['name'] for event in decisions], ['face: cpu'])

    def test_times_are_those_of_the_report(self):
        trace, report = self.trace_of('face_fast', '--frames', '200')
        for node in report['nodes']:
            busy = sorted(event['dur'] * 1e-3 for event in trace.slices('node') if event['name'] == node['id'])
            if busy:  # a source's captures are no runs
                self.assert_is_median(node['busy_ms']['p50'], busy, node['id'])

    def assert_is_median(self, p50, times, name):
        """The histogram is 3 % wide, and on a busy machine the middle of 200 runs is no sharp value."""
        low, high = times[len(times) * 2 // 5], times[len(times) * 3 // 5]
        self.assertGreaterEqual(p50, 0.96 * low - 0.001, name)
        self.assertLessEqual(p50, 1.04 * high + 0.001, name)

    def test_losses_are_marks_with_reasons(self):
        trace, report = self.trace_of('face_preview', '--duration', '3s')
        queue_full = next(node for node in report['nodes'] if node['id'] == 'face')['dropped']['queue_full']
        self.assertEqual(trace.drops()[('face', 'queue_full')], queue_full)
        self.assertGreater(queue_full, 10)

    def test_a_trace_that_cannot_be_written_is_one(self):
        for path, words in ((self.at('none/trace.json'), 'No such file or directory'), ('/dev/full', 'No space left')):
            done = self.sluice('run', self.shipped('hello'), '--frames', '3', '--trace', path)
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertIn(f"--trace: '{path}' cannot be written: {words}", done.stderr)

    def test_a_run_that_does_not_begin_keeps_the_old_trace(self):
        old = self.write('trace.json', 'old')
        done = self.sluice('run', self.shipped('face_fast'), '--trace', old, '--set', 'out.path=' + old)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertEqual(self.read('trace.json'), 'old')
        self.assertEqual(os.listdir(self.folder), ['trace.json'])


if __name__ == '__main__':
    os.chdir(ROOT)
    unittest.main()
