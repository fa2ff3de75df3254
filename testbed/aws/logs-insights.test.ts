import { runQuery } from './logs-insights';

const lines = [
  { image: 'a', outcome: 'pulled', bytes: 10, seconds: 2 },
  { image: 'a', outcome: 'present' },
  { image: 'b', outcome: 'failed', reason: 'no route' },
  { summary: { moment: 'gate', seconds: 7, error: 'too late' } },
].map((line, index) => ({ timestamp: index, stream: index === 1 ? 'i-2' : 'i-1', line }));

test.each<[string, object[]]>([
  ['filter image = "a" | fields @timestamp, outcome', [{ '@timestamp': 0, 'outcome': 'pulled' }, { '@timestamp': 1, 'outcome': 'present' }]],
  ['filter image != "a" | fields image', [{ image: 'b' }]],
  ['filter outcome in ["failed", "refused"] or ispresent(summary.error) | fields coalesce(reason, summary.error) as why', [{ why: 'no route' }, { why: 'too late' }]],
  ['filter not ispresent(image) | fields summary.moment', [{ 'summary.moment': 'gate' }]],
  ['filter bytes > 5 and seconds < 3 | fields bytes / seconds / 5 as speed, 1 + 2 * 3 - 4 as three', [{ speed: 1, three: 3 }]],
  ['filter ispresent(image) | stats latest(outcome) as state, count(*) as times by image | sort image desc', [
    { image: 'b', state: 'failed', times: 1 }, { image: 'a', state: 'present', times: 2 },
  ]],
  ['stats count_distinct(@logStream) as nodes, max(@timestamp) as newest, min(bytes) as least, sum(bytes) as all, avg(seconds) as mean', [
    { nodes: 2, newest: 3, least: 10, all: 10, mean: 2 },
  ]],
  ['fields image | sort @timestamp desc | limit 2', [{}, { image: 'b' }]],
  ['filter (image = "a" or image = "b") and outcome = "failed" | fields image', [{ image: 'b' }]],
])('%s', (query, rows) => {
  expect(runQuery(query, lines)).toEqual(rows);
});

test.each(['parse @message "x"', 'filter image like /a/', 'filter', 'fields bytes / 2', 'stats median(bytes) as m', 'fields upper(image) as x', 'limit 2 more'])('refuses %s', query => {
  expect(() => runQuery(query, lines)).toThrow(/^Logs Insights: /);
});
