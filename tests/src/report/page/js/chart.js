// A chart in its figure: made once, and drawn anew when another choice is taken or the colours change.
'use strict';
{
  const redraws = [];

  // `build` gets the number of the choice and the theme, and returns ECharts' options. `prepare` sees the chart
  // once, before anything is drawn.
  reveille.draw = (name, build, prepare = () => {}) => {
    const figure = document.getElementById(`chart-${name}`);
    if (!figure) return; // There is nothing to draw, and the section says so.
    const canvas = figure.querySelector('.canvas');
    const select = figure.querySelector('select');
    const chosen = () => (select ? select.selectedIndex : 0);
    const says = () => (select ? select.selectedOptions[0].dataset.says : canvas.getAttribute('aria-label'));
    const chart = echarts.init(canvas, null, { renderer: 'canvas' });
    reveille.charts[name] = chart;
    prepare(chart, figure);

    const redraw = (zooms) => {
      const theme = reveille.theme();
      const { height, ...option } = build(chosen(), theme, canvas);
      if (height) canvas.style.height = `${height}px`;
      chart.resize();
      option.aria = { ...option.aria, enabled: true, label: { description: says() } };
      zooms?.forEach(({ start, end }, index) => Object.assign(option.dataZoom[index], { start, end }));
      chart.setOption({ ...reveille.base(theme), ...option }, { notMerge: true });
      chart.getZr().flush(); // Paper does not wait for the next frame.
    };
    const choose = () => {
      // Paper has all that can be chosen, and one of it is in the picture.
      if (select) figure.querySelector('figcaption').dataset.drawn = select.selectedOptions[0].text;
      figure.querySelectorAll('[data-choice]').forEach((part) => {
        part.hidden = Number(part.dataset.choice) !== chosen();
      });
      redraw();
    };
    select?.addEventListener('change', choose);
    choose();
    const again = () => redraw(chart.getOption().dataZoom);
    redraws.push(again);
    // Only what changes the width: the height is the chart's own.
    new ResizeObserver(() => { if (canvas.clientWidth !== chart.getWidth()) again(); }).observe(canvas);
  };

  reveille.redraw = () => redraws.forEach((redraw) => redraw());
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', reveille.redraw);

  // Bars from `low` to `high` with a foot at each end; a value is [x, low, high].
  reveille.whisker = (colour, isUpright = true) => (_, api) => {
    const at = (value) => (isUpright ? [api.value(0), value] : [value, api.value(0)]);
    const [low, high] = [api.coord(at(api.value(1))), api.coord(at(api.value(2)))];
    const foot = isUpright ? [4, 0] : [0, 4];
    const moved = ([x, y], sign) => [x + sign * foot[0], y + sign * foot[1]];
    return {
      type: 'polyline',
      shape: { points: [moved(low, -1), moved(low, 1), low, high, moved(high, -1), moved(high, 1)] },
      style: { stroke: colour, lineWidth: 1.5, fill: 'none' },
    };
  };
}
