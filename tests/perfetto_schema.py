# SPDX-License-Identifier: BSD-2-Clause
"""The public schema out of Perfetto's trace processor, which carries it to show fields that it does not know.

  perfetto_schema.py PROGRAM OUT: writes a FileDescriptorSet, for protoc --descriptor_set_in. A program has no place where
  it would say where the set begins, so each file of it is found by its name and taken when it parses as a whole.
"""
import re
import sys


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at
        if shift > 35:
            raise ValueError('no varint')


def strings(data, wanted):
    """The texts of field `wanted` of a message that parses to its end; ValueError or IndexError if it does not."""
    at, found = 0, []
    while at < len(data):
        tag, at = varint(data, at)
        field, kind = tag >> 3, tag & 7
        if not 1 <= field <= 14 or kind not in (0, 2):  # the fields of a FileDescriptorProto
            raise ValueError('not its field')
        size, at = varint(data, at)
        if kind == 2:
            if at + size > len(data):
                raise ValueError('too short')
            if field == wanted:
                found.append(data[at:at + size])
            at += size
    return found


def files(program):
    for match in re.finditer(rb'\x0a([\x10-\x7f])(protos/perfetto/[\w/]+\.proto|google/protobuf/descriptor\.proto)', program):
        begin = match.start()
        if match.group(1)[0] != len(match.group(2)):
            continue
        for head in range(2, 6):  # 0x0a and the size of the file
            try:
                size, at = varint(program, begin - head + 1)
                if program[begin - head] == 0x0a and at == begin and strings(program[begin:begin + size], 1) == [match.group(2)]:
                    yield match.group(2), program[begin - head:begin + size]
                    break
            except (ValueError, IndexError):
                pass


def main():
    program = open(sys.argv[1], 'rb').read()
    found = {}
    for name, entry in files(program):
        if len(entry) > len(found.get(name, b'')):
            found[name] = entry
    if b'protos/perfetto/trace/trace_packet.proto' not in found:
        sys.exit('no schema in it')
    # dependencies first, as protoc wants them
    done, out = set(), []

    def put(name):
        if name in done or name not in found:
            return
        done.add(name)
        begin = varint(found[name], 1)[1]
        for other in strings(found[name][begin:], 3):
            put(other)
        out.append(found[name])

    for name in found:
        put(name)
    with open(sys.argv[2], 'wb') as file:
        file.write(b''.join(out))
    print(f'{len(out)} files of the schema')


main()
