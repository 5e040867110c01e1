"""A second implementation of core/stats.c with nothing but the standard library.
Reads lines "a… | b…" and prints for each: u greater less both shift low high holm of (greater less both).
The exact distribution is counted another way: all combinations one by one, or a dictionary of fractions."""
import itertools, math, statistics, sys
from fractions import Fraction

RESAMPLES, LEVEL, SEED, MASK = 2000, 0.95, 7, (1 << 64) - 1


def ranks(values):
    ordered = sorted(values)
    first = {value: ordered.index(value) for value in set(ordered)}
    return [Fraction(2 * first[v] + ordered.count(v) + 1, 2) for v in values]


def mann_whitney(a, b):
    mid = ranks(a + b)
    seen = sum(mid[len(a):])
    if math.comb(len(mid), len(b)) <= 20000:
        sums = [sum(chosen) for chosen in itertools.combinations(mid, len(b))]
        up, down, ways = sum(s >= seen for s in sums), sum(s <= seen for s in sums), len(sums)
    else:
        table = {(0, Fraction(0)): 1}
        for rank in mid:
            for (k, s), count in list(table.items()):
                if k < len(b):
                    table[k + 1, s + rank] = table.get((k + 1, s + rank), 0) + count
        sums = {s: count for (k, s), count in table.items() if k == len(b)}
        up = sum(c for s, c in sums.items() if s >= seen)
        down = sum(c for s, c in sums.items() if s <= seen)
        ways = sum(sums.values())
    u = sum((y > x) + Fraction(y == x, 2) for x in a for y in b)
    greater, less = Fraction(up, ways), Fraction(down, ways)
    return [float(u), float(greater), float(less), float(min(1, 2 * min(greater, less)))]


def draws(state):
    while True:
        state = (state + 0x9E3779B97F4A7C15) & MASK
        z = ((state ^ state >> 30) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ z >> 27) * 0x94D049BB133111EB) & MASK
        yield (z ^ z >> 31) >> 32


def shift(a, b):
    def hodges_lehmann(x, y):
        return statistics.median(q - p for p in x for q in y)
    random, shifts = draws(SEED), []
    for _ in range(RESAMPLES):
        x = [a[next(random) * len(a) >> 32] for _ in a]
        y = [b[next(random) * len(b) >> 32] for _ in b]
        shifts.append(hodges_lehmann(x, y))
    shifts.sort()
    cut = int((1 - LEVEL) / 2 * RESAMPLES)
    return [hodges_lehmann(a, b), shifts[cut], shifts[-1 - cut]]


def holm(p):
    out, least = [0.0] * len(p), 0.0
    for i, at in enumerate(sorted(range(len(p)), key=p.__getitem__)):
        least = max(least, min(1.0, p[at] * (len(p) - i)))
        out[at] = least
    return out


for line in sys.stdin:
    a, b = ([float(word) for word in side.split()] for side in line.split('|'))
    found = mann_whitney(a, b)
    print(*(repr(value) for value in found + shift(a, b) + holm(found[1:])), flush=True)
