#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A second reader of recordings, written from docs/format.md and nothing else.

psr_reader.py FILE.psr prints every record as a line of JSON, like
`pollscope export --to json`. It proves that the page tells enough; where the
two differ, the page or the tool is wrong. It reads whole files only.
"""
import ctypes
import json
import struct
import sys
import zlib

MAGIC = b"\x89PSR\r\n\x1a\n"
SYNC = b"\xf1PSRblk\n"
ALL = 2**64 - 1
TIME = 2  # unit
REST, MILLIS = 1, 2  # guesses of what is no time
EVENTS, DEFINITIONS, INDEX = 1, 2, 3

zstd = ctypes.CDLL("libzstd.so.1")
zstd.ZSTD_decompress.restype = ctypes.c_size_t
zstd.ZSTD_isError.restype = ctypes.c_uint
zstd.ZSTD_isError.argtypes = [ctypes.c_size_t]
zstd.ZSTD_decompress.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t]


def unpack(packed, size):
    out = ctypes.create_string_buffer(size)
    got = zstd.ZSTD_decompress(out, size, packed, len(packed))
    assert not zstd.ZSTD_isError(got) and got == size, "zstd"
    return out.raw


class Cursor:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        self.at += count
        assert self.at <= len(self.data), "past the end"
        return self.data[self.at - count:self.at]

    def u(self, size):
        return int.from_bytes(self.take(size), "little")

    def name(self):
        return self.take(self.u(1)).decode()

    def varint(self):
        value = shift = 0
        while True:
            byte = self.u(1)
            value |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                return value & ALL

    def difference(self):
        return unzigzag(self.varint())


def unzigzag(code):
    return code >> 1 ^ -(code & 1)


class Event:
    def __init__(self, cursor):
        self.number, self.tail, count = cursor.u(2), cursor.u(1), cursor.u(1)
        self.name = cursor.name()
        self.fields = [(cursor.u(1), cursor.u(1), cursor.u(1), cursor.u(1), cursor.name()) for _ in range(count)]


def read_head(data):
    magic, major, minor, order, length, crc = struct.unpack_from("<8sHHIII", data)
    assert magic == MAGIC and major in (1, 2) and order == 0x01020304
    assert crc == zlib.crc32(data[24:24 + length], zlib.crc32(data[:20]))
    body, head = Cursor(data[24:24 + length]), {}
    while body.at < length:
        tag, size = body.u(2), body.u(4)
        head[tag] = body.take(size)
    schema, events = Cursor(head[1]), {}
    while schema.at < len(head[1]):
        event = Event(schema)
        events[event.number] = event
    return head, events, 24 + length


def read_blocks(data, offset):
    sequence = 0
    while True:
        block = data[offset:offset + 72]
        sync, head_crc, body_crc, kind, number, packed, raw, records, _, _, _, lost, before = struct.unpack("<8sIIIIIIIIQQQQ", block)
        assert sync == SYNC and head_crc == zlib.crc32(block[12:72]) and number == sequence
        body = data[offset + 72:offset + 72 + packed]
        assert body_crc == zlib.crc32(body)
        sequence += 1
        yield offset, kind, records, before, unpack(body, raw)
        if kind == INDEX:
            assert data[offset + 72 + packed:] == struct.pack("<Q8s", offset, b"PSRINDEX")
            return
        offset += 72 + packed


def read_records(events, body, count):
    cursor, memories, tid, ts = Cursor(body), {}, 0, 0
    for _ in range(count):
        first = cursor.u(1)
        event = events[first & 0x7F]
        if first & 0x80:
            tid = (tid + cursor.difference()) & 0xFFFFFFFF
        ts = (ts + cursor.difference()) & ALL
        mask = cursor.varint()
        times, values = memories.setdefault((tid ^ tid >> 6) % 64, ({}, {}))
        known = values.setdefault(event.number, [0] * len(event.fields))
        rest = 0
        for n, (size, signed, unit, link, name) in enumerate(event.fields):
            if unit == TIME:
                guess = (times.get(link, 0) if link else 0) or ts
            else:
                assert link <= MILLIS, "a guess of a newer version"
                guess = rest if link == REST and known[n] != ALL else known[n]
            if not mask >> n & 1:
                known[n] = guess
            elif unit == TIME or link == REST:
                code = cursor.varint()
                known[n] = (0 if code == 1 else ALL if code == 2 else cursor.u(8) if code == 3
                            else (guess + unzigzag(code - 3)) & ALL)
            elif link == MILLIS:
                code = cursor.varint()
                step = unzigzag(code >> 1) * (1 if code & 1 else 1000000)
                known[n] = cursor.u(8) if code == 1 else (guess + step) & ALL
            else:
                known[n] = (guess + cursor.difference()) & ALL
            if unit == TIME:
                rest = (ts - known[n]) & ALL
            elif link == REST:
                rest = (rest - known[n]) & ALL
        times[event.number] = ts
        record = {"event": event.name, "ts": ts, "tid": tid}
        for (size, signed, unit, link, name), value in zip(event.fields, known):
            value &= (1 << 8 * size) - 1
            if signed and value >> 8 * size - 1:
                value -= 1 << 8 * size
            record[name] = None if size == 8 and not signed and value == ALL else value
        length = known[1] & 0xFFFFFFFF if event.tail else 0
        if event.tail == 1:
            record["text"] = cursor.take(length).decode(errors="replace")
        elif event.tail == 4:
            frames, frame = [], 0
            for _ in range(length):
                frame = (frame + cursor.difference()) & 0xFFFFFFFF
                frames.append(frame)
            record["frames"] = frames
        yield record
    assert cursor.at == len(body), "bytes are left"


def main():
    data = open(sys.argv[1], "rb").read()
    _, events, offset = read_head(data)
    told, begun, points = 0, False, []
    before_kind = None
    for offset, kind, records, before, body in read_blocks(data, offset):
        assert before == told, "the running count of events"
        if kind == DEFINITIONS and before_kind == EVENTS:
            points.append((offset, before))
        if kind == EVENTS or (kind == DEFINITIONS and not begun):
            for record in read_records(events, body, records):
                print(json.dumps(record, separators=(",", ":"), ensure_ascii=False))
        if kind == INDEX:
            entries = [struct.unpack_from("<QQQ", body, at) for at in range(0, len(body), 24)]
            assert [(entry[0], entry[2]) for entry in entries] == points, "the index"
        if kind == EVENTS:
            told += records
            begun = True
        before_kind = kind


if __name__ == "__main__":
    main()
