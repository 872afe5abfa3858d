// Round trips of calls between all pairs of CPUs, on a logarithmic scale of colours.
'use strict';
{
  const { micros, escaped } = reveille.words;

  // Cividis, which is made for eyes that lack a colour: it grows lighter from end to end.
  const SCALE = ['#00224e', '#123570', '#3b496c', '#575d6d', '#707173', '#8a8678', '#a59c74', '#c3b369', '#e1cc55', '#fee838'];
  const MOST_AT_ONCE = 5_000; // Pairs; more are drawn piece by piece, as fast as they come, except on paper.
  const MOST_NAMED = 12; // CPUs, so that a figure fits its cell.

  reveille.draw('heat', (choice, theme, canvas) => {
    const heat = reveille.data.heat[reveille.drawn.heat[choice]];
    const index = new Map(heat.cpus.map((cpu, at) => [cpu, at]));
    // As the page picks what is drawn.
    const timed = heat.pairs.filter((pair) => pair.p50_ns > 0);
    const values = timed.map((pair) => Math.log10(pair.p50_ns));
    const least = values.reduce((a, b) => Math.min(a, b));
    const most = values.reduce((a, b) => Math.max(a, b));
    const isNamed = heat.cpus.length <= MOST_NAMED && canvas.clientWidth > 560;
    const line = heat.cpus.length <= 64 ? { stroke: theme.paper, lineWidth: 1 } : {};
    // Light on the dark half of the scale, dark on the light one.
    const label = (at) => ({
      textConfig: { position: 'inside' },
      textContent: {
        type: 'text',
        style: {
          text: micros(timed[at].p50_ns), fontSize: 11,
          fill: values[at] < least + (most - least) * 0.45 ? '#ffffff' : '#000000',
        },
      },
    });
    // A series of ECharts' own for heat maps draws on several layers, of which a printer gets the last.
    const cell = ({ dataIndex }, api) => {
      const [x, y] = api.coord([api.value(0), api.value(1)]);
      const [width, height] = api.size([1, 1]);
      return {
        type: 'rect',
        shape: { x: x - width / 2, y: y - height / 2, width, height },
        style: { fill: api.visual('color'), ...line },
        emphasis: { style: { stroke: theme.ink, lineWidth: 2 } },
        ...(isNamed ? label(dataIndex) : {}),
      };
    };
    const isAtOnce = timed.length <= MOST_AT_ONCE || 'print' in document.documentElement.dataset;
    const side = Math.min(canvas.clientWidth - 130, 560);
    const shared = { type: 'category', data: heat.cpus, splitLine: { show: false }, axisTick: { show: false }, axisLine: { show: false } };
    return {
      height: side + 110,
      legend: { show: false },
      grid: { top: 40, left: 48, width: side, height: side },
      xAxis: reveille.axis(theme, { ...shared, name: 'called CPU', nameLocation: 'middle', nameGap: 26 }),
      yAxis: reveille.axis(theme, { ...shared, inverse: true, name: 'calling CPU', nameLocation: 'start', nameTextStyle: { color: theme.muted, align: 'left' } }),
      visualMap: {
        type: 'continuous', min: least, max: most > least ? most : least + 0.01, dimension: 2, calculable: true,
        orient: 'vertical', left: side + 60, top: 40, itemHeight: Math.min(side - 20, 240), itemWidth: 14,
        inRange: { color: SCALE }, textStyle: { color: theme.ink }, precision: 6,
        formatter: (value) => `${micros(10 ** value)} µs`,
      },
      tooltip: {
        ...reveille.base(theme).tooltip, trigger: 'item',
        formatter: ({ dataIndex }) => {
          const { from, to, p50_ns, p99_ns, max_ns } = timed[dataIndex];
          const row = (name, nanos) => `<tr><td>${name}</td><td class="figure">${micros(nanos)} µs</td></tr>`;
          return `<b>CPU ${escaped(from)} → CPU ${escaped(to)}</b><table class="tip">`
            + `${row('median', p50_ns)}${row('p99', p99_ns)}${row('longest', max_ns)}</table>`;
        },
      },
      series: [{
        type: 'custom', renderItem: cell, encode: { x: 0, y: 1, value: 2 }, progressive: isAtOnce ? 0 : 2_000,
        data: timed.map(({ from, to }, at) => [index.get(to), index.get(from), values[at]]),
      }],
    };
  });
}
