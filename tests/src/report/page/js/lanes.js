// The rows of a timeline, and what is said of each: the boot processor's own above, then a lane a CPU.
'use strict';
{
  const { millis, micros, escaped } = reveille.words;

  const TIMES = [
    ['init_ns', 'INIT'], ['sipi_ns', 'SIPI'], ['real_ns', 'real mode'], ['long_ns', 'long mode'],
    ['alive_ns', 'alive'], ['online_ns', 'online'],
  ];

  const nameOf = (lane) => (lane.cpu == null ? `APIC ${lane.apic_id}` : `CPU ${lane.cpu}`);
  const row = (name, text) => `<tr><td>${name}</td><td class="figure">${text}</td></tr>`;
  const inMillis = (nanos) => (nanos == null ? 'none' : `${millis(nanos)} ms`);

  // All that is known of a CPU.
  const ofLane = (lane) => {
    const times = TIMES.map(([field, name]) => row(name, inMillis(lane.times[field])));
    const doubt = lane.uncertainty_ns == null ? 'not known' : `${micros(lane.uncertainty_ns)} µs`;
    const place = lane.place ? `, ${escaped(lane.place)}` : '';
    const reason = [lane.step, lane.reason].filter(Boolean).join(': ');
    return [
      `<b>${nameOf(lane)}</b> (APIC ${lane.apic_id}${place}): ${escaped(lane.outcome)}`,
      reason && `<p class="reason">${escaped(reason)}</p>`,
      `<table class="tip">${times.join('')}${row('±', doubt)}${row('SIPIs', lane.sipis)}${row('polls', lane.polls)}</table>`,
    ].join('');
  };

  const ofSpan = (title, { began_ns, ended_ns }) =>
    `<b>${title}</b><table class="tip">${row('from', inMillis(began_ns))}${row('until', inMillis(ended_ns))}`
    + `${row('took', `${micros(ended_ns - began_ns)} µs`)}</table>`;

  // Why a CPU did not come up.
  const reasonOf = (lane) => [lane.outcome, lane.step, lane.reason].filter(Boolean).join(': ');

  // The span of those, which are in the order of time, that is nearest to a time.
  const nearest = (spans, nanos) => {
    let [low, high] = [0, spans.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (spans[middle].ended_ns < nanos) low = middle + 1; else high = middle;
    }
    const isNearer = low > 0 && nanos - spans[low - 1].ended_ns < spans[low].began_ns - nanos;
    return spans[isNearer ? low - 1 : low];
  };

  // Rows above the lanes, where the boot was traced, each with its spans and what is said at a time.
  const above = ({ bsp, serialised }) => {
    const row = (name, colour, spans, title) => ({
      name, colour, spans,
      says: (nanos) => (spans.length > 0 ? ofSpan(title(nearest(spans, nanos)), nearest(spans, nanos)) : ''),
    });
    const doing = (what) => bsp.filter((span) => span.doing === what);
    const rows = bsp == null ? [] : [
      row('BSP polls', 'poll', doing('poll'), () => 'the BSP polls'),
      row('BSP sleeps', 'sleep', doing('sleep'), () => 'the BSP sleeps'),
    ];
    if (serialised != null) {
      rows.push(row('serialised', 'serial', serialised, (turn) => `${escaped(turn.step)} for CPU ${turn.cpu}`));
    }
    return rows;
  };

  reveille.lanes = { above, nameOf, ofLane, reasonOf };
}
