// Curves over the number of CPUs, both axes logarithmic.
'use strict';
{
  const { value, tick, escaped } = reveille.words;

  const tooltip = (lines, byName) => (params) => {
    const cpus = params[0].value[0];
    const rows = params.map(({ seriesName, marker }) => {
      const point = byName.get(seriesName)?.points.find((it) => it.cpus === cpus);
      if (!point) return '';
      const ends = point.ends ? ` (${point.ends.map(value).join('–')})` : '';
      return `<tr><td>${marker}${escaped(seriesName)}</td><td class="figure">${value(point.median)}${ends}</td></tr>`;
    });
    return `<b>${cpus} CPUs</b><table class="tip">${rows.join('')}</table>`;
  };

  reveille.draw('growth', (choice, theme, canvas) => {
    const { axis, lines } = reveille.drawn.growth[choice];
    // A logarithmic axis has no place for nothing.
    const isAbove = (point) => point.median > 0 && point.cpus > 0;
    const series = lines.flatMap(({ name, look, points }) => {
      const color = reveille.colour(look, theme);
      const shown = points.filter(isAbove);
      const spread = shown.filter(({ ends }) => ends && ends[0] > 0);
      return [
        {
          name, type: 'line', color, symbol: look.symbol, symbolSize: 8, z: 3,
          lineStyle: { width: 2, type: look.is_dashed ? 'dashed' : 'solid' },
          data: shown.map(({ cpus, median }) => [cpus, median]),
        },
        {
          name, type: 'custom', color, silent: true, z: 2, tooltip: { trigger: 'none' },
          renderItem: reveille.whisker(color), encode: { x: 0, y: [1, 2] },
          data: spread.map(({ cpus, ends }) => [cpus, ...ends]),
        },
      ];
    });
    const sizes = [...new Set(lines.flatMap(({ points }) => points.map(({ cpus }) => cpus)))];
    return {
      height: 420,
      grid: { top: reveille.legendHeight(lines.map(({ name }) => name), canvas.clientWidth) + 32, left: 12, right: 24, bottom: 32, containLabel: true },
      xAxis: reveille.axis(theme, {
        type: 'log', logBase: 2, name: 'CPUs', nameLocation: 'middle', nameGap: 26,
        min: Math.max(Math.min(...sizes), 1), max: Math.max(...sizes), axisLabel: { color: theme.muted, formatter: tick },
      }),
      yAxis: reveille.axis(theme, {
        type: 'log', name: axis, nameTextStyle: { color: theme.muted, align: 'left' },
        axisLabel: { color: theme.muted, formatter: tick },
      }),
      tooltip: {
        ...reveille.base(theme).tooltip, trigger: 'axis',
        formatter: tooltip(lines, new Map(lines.map((line) => [line.name, line]))),
      },
      series,
    };
  });
}
