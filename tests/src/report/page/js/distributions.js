// All warm rounds of each contender, a dot each, with a box over their middle half.
'use strict';
{
  const { micros, tick, escaped } = reveille.words;
  const GOLDEN = 0.618034; // Spreads dots evenly, and in the same way each time.

  reveille.draw('distributions', (choice, theme) => {
    const { rows } = reveille.drawn.distributions[choice];
    const strips = rows.map((row) => ({ ...row, ...reveille.data.cells[row.cell] }));
    const names = strips.map(({ contender }) => contender);
    const dots = strips.map(({ look, samples_ns }, row) => ({
      name: names[row], type: 'scatter', color: reveille.colour(look, theme), symbol: 'circle', symbolSize: 4,
      yAxisIndex: 1, silent: true, itemStyle: { opacity: 0.6 }, z: 2,
      data: samples_ns.map((nanos, at) => [nanos / 1e6, row + (((at * GOLDEN) % 1) - 0.5) * 0.6]),
    }));
    const boxes = {
      type: 'boxplot', z: 3, boxWidth: [6, 30], itemStyle: { color: 'transparent', borderColor: theme.ink, borderWidth: 1.5 },
      data: strips.map(({ five_ns }) => five_ns.map((nanos) => nanos / 1e6)),
    };
    return {
      height: strips.length * 44 + 80,
      legend: { show: false },
      grid: { top: 12, left: 12, right: 28, bottom: 32, containLabel: true },
      xAxis: reveille.axis(theme, {
        type: 'log', name: 'ms', nameLocation: 'middle', nameGap: 26, axisLabel: { color: theme.muted, formatter: tick },
      }),
      yAxis: [
        reveille.axis(theme, { type: 'category', data: names, inverse: true, splitLine: { show: false }, axisTick: { show: false }, axisLabel: { color: theme.ink } }),
        { type: 'value', inverse: true, min: -0.5, max: names.length - 0.5, show: false },
      ],
      tooltip: {
        ...reveille.base(theme).tooltip, trigger: 'item',
        formatter: ({ dataIndex }) => {
          const { contender, five_ns, rounds } = strips[dataIndex];
          const parts = ['shortest', 'quarter', 'median', 'three quarters', 'longest'];
          const lines = parts.map((part, at) => `<tr><td>${part}</td><td class="figure">${micros(five_ns[at])} µs</td></tr>`);
          return `<b>${escaped(contender)}</b>: ${rounds} rounds<table class="tip">${lines.join('')}</table>`;
        },
      },
      series: [...dots, boxes],
    };
  });
}
