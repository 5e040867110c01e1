# An asyncio loop, on uvloop with argument "uvloop", that works 4 ms of each 24 ms;
# each line: time, work so far, the rest so far (ns).
import asyncio, sys, time

async def run():
    start = time.monotonic_ns()
    work = 0
    while True:
        await asyncio.sleep(0.02)
        begun = now = time.monotonic_ns()
        while now - begun < 4_000_000:
            now = time.monotonic_ns()
        work += now - begun
        print(now, work, now - start - work, flush=True)

if 'uvloop' in sys.argv:
    import uvloop
    uvloop.install()
asyncio.run(run())
