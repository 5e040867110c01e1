# SPDX-License-Identifier: BSD-2-Clause
# Ways to block a loop of asyncio, one after the other. Each tells before, by its
# own frames, in which functions, files and lines it is going to be.
import asyncio
import hashlib
import json
import re
import sys
import time
import zlib

ROWS = [{'id': i, 'name': 'row %d' % i} for i in range(250000)]
BYTES = b''.join(b'%d' % i for i in range(600000))
FEW = 2000000
NAMES = re.compile(r'(a+)+$')


def tell(lines_on=0):
    frame, stack = sys._getframe(1), []
    while frame:
        code = frame.f_code
        stack.append([getattr(code, 'co_qualname', code.co_name), code.co_filename, frame.f_lineno])
        frame = frame.f_back
    stack[0][2:] = [stack[0][2] + lines_on, stack[0][2]]
    print(json.dumps(stack), flush=True)


def count_up():
    tell(2)
    n = 0
    while n < 2 * FEW: n += 1


class Shop:
    def checkout(self):
        tell(); return self.price(FEW)

    @staticmethod
    def price(n):
        tell(2); total = 0
        # a comment moves the line
        for i in range(n): total += i * i
        return total

    def __call__(self):
        tell(); time.sleep(0.12)


def nested():
    def inner(n):
        tell(1)
        while n: n -= 1
    inner(2 * FEW)


def comprehend():
    tell(); return [i * i for i in range(FEW)]


def generate():
    tell(); return sum(i % 7 for i in range(FEW))


def sort_all():
    tell(); sorted(range(FEW // 2), key=lambda i: -i)


def größe():
    tell(1)
    for i in range(4 * FEW): pass


def 数える():
    tell(1)
    for i in range(4 * FEW): pass


def nap():
    tell(); time.sleep(0.12)


def print_rows():
    tell(); json.dumps(ROWS)


def pack():
    tell(); zlib.compress(BYTES, 9)


def hash_secret():
    tell(); hashlib.pbkdf2_hmac('sha256', b'password', b'salt', 300000)


def match_name():
    tell(); re.match(r'(a+)+$', 'a' * 21 + 'b')


def match_compiled():
    tell(); NAMES.match('a' * 21 + 'b')


async def deep(levels):
    if levels:
        return await deep(levels - 1)
    await asyncio.sleep(0.05)
    tell(1)
    for i in range(4 * FEW): pass


def far_down(lines):
    # more lines than one step of a table of lines can tell




































































































































    tell(); time.sleep(0.12)


async def main():
    loop = asyncio.get_running_loop()
    shop = Shop()
    print('"ready"', flush=True)
    while True:
        for i, sin in enumerate((count_up, shop.checkout, shop, nested, comprehend, generate, sort_all, größe, 数える, nap,
                                 print_rows, pack, hash_secret, match_name, match_compiled, lambda: far_down(1))):
            loop.call_soon(sin) if i % 2 else sin()
            await asyncio.sleep(0.03)
        await deep(5)
        await asyncio.sleep(0.03)


asyncio.run(main())
