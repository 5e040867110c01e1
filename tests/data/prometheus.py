"""Asks a Prometheus every expression of the dashboard and the alerts, and compares what they return with `stat --json`.
Arguments: address of Prometheus, dashboard, rules, stat's document, seconds of the window."""
import json, re, sys, urllib.parse, urllib.request

address, dashboard, rules, stat, seconds = sys.argv[1], json.load(open(sys.argv[2])), open(sys.argv[3]).read(), json.load(open(sys.argv[4])), int(sys.argv[5])
bounds = [0, .0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, float('inf')]


def ask(expression):
    for name, value in (('$__rate_interval', f'{seconds}s'), ('$job', '.*'), ('$instance', '.*'), ('$process', '.*')):
        expression = expression.replace(name, value)
    expression = re.sub(r'\[(5|10)m\]', f'[{seconds}s]', expression)
    url = f'http://{address}/api/v1/query?' + urllib.parse.urlencode({'query': expression})
    answer = json.load(urllib.request.urlopen(url))
    assert answer['status'] == 'success', (expression, answer)
    return [(row['metric'], float(row['value'][1])) for row in answer['data']['result']]


empty = []
for panel in dashboard['panels']:
    for target in panel['targets']:
        if not ask(target['expr']):
            empty.append(panel['title'])
may_be_empty = {'Lag: ready to callback', 'Timers fire late', 'Jobs wait for the pool', 'Jobs of the pool', 'Findings'}
assert set(empty) <= may_be_empty, f'no data: {set(empty) - may_be_empty}'
expressions = re.findall(r'expr: (?:\|\n((?:          +.*\n)+)|(.*))', rules)
assert len(expressions) == 7, len(expressions)
for block, line in expressions:
    ask(block or line)

by_title = {panel['title']: [target['expr'] for target in panel['targets']] for panel in dashboard['panels']}
main = max(stat['loops'], key=lambda loop: loop['busy_ns'])
# loops of the same names are one series: node has a second one in a thread of its own
alike = [loop for loop in stat['loops'] if loop['comm'] == main['comm']]
window = main['busy_ns'] + main['wait_ns']


def total(key):
    return sum(loop[key] for loop in alike)


def of_main(answer):
    return max((value for metric, value in answer if metric.get('process') == main['comm'] or metric.get('thread') == main['comm']), default=None)


def near(what, got, wanted, relative, absolute):
    print(f'{what}: Prometheus {got}, stat {wanted}')
    assert got is not None and abs(got - wanted) <= max(relative * wanted, absolute), what


def same_bucket(what, got, wanted_ns):
    """A quantile of Prometheus lies anywhere in the bucket of the true one: at most one bound away."""
    at = next(i for i in range(1, len(bounds)) if wanted_ns / 1e9 <= bounds[i])
    low, high = bounds[max(at - 2, 0)], bounds[min(at + 1, len(bounds) - 1)]
    print(f'{what}: Prometheus {got}, stat {wanted_ns / 1e9}')
    assert got is not None and low <= got <= high, what


near('utilization', of_main(ask(by_title['Utilization of loops'][0])), total('busy_ns') / (total('busy_ns') + total('wait_ns')), 0.15, 0.02)
near('stalls per second', of_main(ask(by_title['Stalls per second'][0])), total('stall_count') / (window / 1e9), 0.2, 0.25)
near('time in stalls', of_main(ask(by_title['Share of time in stalls'][0])), total('stall_total_ns') / window, 0.25, 0.05)
near('polls per second', of_main(ask(by_title['Polls and turns per second'][0])), total('polls') / (window / 1e9), 0.2, 2)
same_bucket('iteration p50', of_main(ask(by_title['Busy part of a turn'][0])), main['iteration_ns']['p50'])
same_bucket('iteration p99', of_main(ask(by_title['Busy part of a turn'][1])), main['iteration_ns']['p99'])
if main['lag_ns'] and 'Lag: ready to callback' not in empty:
    same_bucket('lag p99', of_main(ask(by_title['Lag: ready to callback'][1])), main['lag_ns']['p99'])
print('no data for:', sorted(set(empty)))
