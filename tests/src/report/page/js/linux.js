// Systems side by side on each machine: a dot for the median, a bar from the shortest to the longest.
'use strict';
{
  const { millis, tick, escaped } = reveille.words;

  reveille.draw('linux', (_, theme, canvas) => {
    const { machines, labels, systems } = reveille.drawn.linux;
    const step = 0.7 / systems.length;
    const place = (machine, system) => machine + (system - (systems.length - 1) / 2) * step;
    const series = systems.flatMap(({ name, look, dots }, system) => {
      const color = reveille.colour(look, theme);
      const shown = dots.map((dot, machine) => ({ dot, machine })).filter(({ dot }) => dot);
      const spread = shown.filter(({ dot }) => dot.low_ns && dot.high_ns);
      return [
        {
          name, type: 'scatter', color, xAxisIndex: 1, symbol: look.symbol, symbolSize: 11, z: 3,
          data: shown.map(({ dot, machine }) => ({ value: [place(machine, system), dot.median_ns / 1e6], machine, dot })),
        },
        {
          name, type: 'custom', color, xAxisIndex: 1, silent: true, z: 2,
          renderItem: reveille.whisker(color), encode: { x: 0, y: [1, 2] },
          data: spread.map(({ dot, machine }) => [place(machine, system), dot.low_ns / 1e6, dot.high_ns / 1e6]),
        },
      ];
    });
    const room = canvas.clientWidth / machines.length - 32;
    return {
      height: 420,
      legend: { ...reveille.base(theme).legend, itemWidth: 12, itemHeight: 12 },
      grid: { top: reveille.legendHeight(systems.map(({ name }) => name), canvas.clientWidth) + 32, left: 12, right: 16, bottom: 16, containLabel: true },
      // Names stand on one axis, and dots on another, on which there is room between two names.
      xAxis: [
        reveille.axis(theme, {
          type: 'category', data: labels.map((name) => name.replaceAll(',', ', ')),
          axisTick: { show: false }, splitLine: { show: false },
          axisLabel: { color: theme.muted, width: room, overflow: 'break', lineHeight: 16, interval: 0 },
        }),
        { type: 'value', min: -0.5, max: machines.length - 0.5, show: false },
      ],
      yAxis: reveille.axis(theme, {
        type: 'log', name: 'all CPUs online, ms', nameTextStyle: { color: theme.muted, align: 'left' },
        axisLabel: { color: theme.muted, formatter: tick },
      }),
      tooltip: {
        ...reveille.base(theme).tooltip, trigger: 'item',
        formatter: ({ seriesName, data: { machine, dot } }) => {
          const ends = `${millis(dot.low_ns)}–${dot.high_ns == null ? 'no end' : millis(dot.high_ns)}`;
          return `<b>${escaped(machines[machine])}</b><br>${escaped(seriesName)}: ${millis(dot.median_ns)} ms (${ends})`;
        },
      },
      series,
    };
  });
}
