# An asyncio loop, on uvloop with argument "uvloop", that works 4 ms of each 24 ms;
# each line: time, work so far, the rest so far, how much of the rest the thread was
# ready to run, as the kernel counts it (ns).
import asyncio, os, sys, time

account = os.open('/proc/thread-self/schedstat', os.O_RDONLY)
def ready():
    return int(os.pread(account, 100, 0).split()[1])

async def run():
    start = time.monotonic_ns()
    work = rest_ready = 0
    ended = ready()
    while True:
        await asyncio.sleep(0.02)
        rest_ready += ready() - ended
        begun = now = time.monotonic_ns()
        while now - begun < 4_000_000:
            now = time.monotonic_ns()
        work += now - begun
        ended = ready()
        print(now, work, now - start - work, rest_ready, flush=True)

if 'uvloop' in sys.argv:
    import uvloop
    uvloop.install()
asyncio.run(run())
