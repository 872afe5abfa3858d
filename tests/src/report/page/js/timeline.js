// A boot as a timeline. What is said is that of the row under the pointer, so that a gap tells of its CPU as well,
// and nothing has to be hit. That, and few elements, keep hundreds of lanes smooth.
'use strict';
{
  const { above, nameOf, ofLane, reasonOf } = reveille.lanes;
  const { millis, exactly } = reveille.words;

  const [LANES, ABOVE] = [0, 1]; // The grids: the boot processor's rows keep their height beside hundreds of lanes.
  const ROW = 18; // Pixels, while there is room.
  const MOST = 800; // Pixels for all lanes together; of more CPUs the second slider shows a part.
  const isTouched = matchMedia('(pointer: coarse)').matches;
  let told = () => ''; // What is said of a row of a grid at a time, in the boot that is shown.

  // What marks a CPU that did not come up: a hatching, so that it is told without its colour.
  const hatching = (theme) => {
    const tile = Object.assign(document.createElement('canvas'), { width: 8, height: 8 });
    const pen = tile.getContext('2d');
    pen.fillStyle = theme.paper;
    pen.fillRect(0, 0, 8, 8);
    pen.strokeStyle = theme.failed;
    pen.lineWidth = 3;
    for (const x of [-8, 0, 8]) pen.stroke(new Path2D(`M${x - 2} 10 L${x + 10} -2`));
    return { image: tile, repeat: 'repeat' };
  };

  // The reason on the bar of such a CPU, where there is room for letters.
  const reason = (theme, says) => ({ coordSys }, api) => {
    const [from, y] = api.coord([api.value(1), api.value(0)]);
    const x = Math.max(from, coordSys.x) + 8;
    const room = coordSys.x + coordSys.width - x - 16;
    if (api.size([0, 1])[1] < 13 || room < 60) return undefined;
    const text = says(api.value(0));
    const width = Math.min(reveille.textWidth(text, 11) + 2, room);
    return {
      type: 'text',
      style: {
        text, x, y, width, verticalAlign: 'middle', fontSize: 11, fill: theme.failed,
        backgroundColor: theme.paper, padding: [1, 4], overflow: 'truncate', ellipsis: '…',
      },
    };
  };

  const zooms = (theme) => {
    const slider = {
      type: 'slider', filterMode: 'none', showDataShadow: false, brushSelect: false, borderColor: theme.rule,
      fillerColor: theme.rule, backgroundColor: 'transparent', textStyle: { color: theme.muted },
      handleStyle: { color: theme.paper, borderColor: theme.muted }, moveHandleStyle: { color: theme.muted },
    };
    const inside = { type: 'inside', filterMode: 'none', moveOnMouseMove: !isTouched, preventDefaultMouseMove: !isTouched };
    return [
      { ...inside, xAxisIndex: 'all', zoomOnMouseWheel: 'ctrl' },
      { ...inside, yAxisIndex: 0, zoomOnMouseWheel: false, moveOnMouseWheel: 'shift' },
      { ...slider, xAxisIndex: 'all', height: 18, bottom: 8, labelFormatter: (value) => `${millis(value)} ms` },
      { ...slider, yAxisIndex: 0, width: 14, right: 8, showDetail: false },
    ];
  };

  const axes = (theme, end, names, failed) => {
    const x = { type: 'value', min: 0, max: end };
    const y = {
      type: 'category', inverse: true, splitLine: { show: false }, axisTick: { show: false },
      axisPointer: { show: true, type: 'shadow', label: { show: false }, triggerTooltip: false },
    };
    const label = { color: theme.muted, fontSize: 11, lineHeight: 15, hideOverlap: true };
    const marked = {
      formatter: (name) => (failed.has(name) ? `{failed|✕ ${name}}` : name),
      rich: { failed: { color: theme.failed, fontWeight: 'bold', fontSize: 11 } },
    };
    return {
      xAxis: [
        reveille.axis(theme, {
          ...x, gridIndex: LANES, name: 'ms from the first INIT', nameLocation: 'middle', nameGap: 24,
          axisLabel: { color: theme.muted, hideOverlap: true, showMaxLabel: false, formatter: exactly },
        }),
        reveille.axis(theme, { ...x, gridIndex: ABOVE, axisLabel: { show: false }, axisTick: { show: false } }),
      ],
      yAxis: [
        reveille.axis(theme, { ...y, gridIndex: LANES, data: names[LANES], axisLabel: { ...label, ...marked } }),
        reveille.axis(theme, { ...y, gridIndex: ABOVE, data: names[ABOVE], axisLabel: label }),
      ],
    };
  };

  const draw = (choice, theme, canvas) => {
    const { boot, passages, stuck } = reveille.drawn.timeline[choice];
    const { chart } = reveille.data.boots[boot];
    const rows = above(chart);
    const names = [chart.lanes.map(nameOf), rows.map(({ name }) => name)];
    const end = passages.reduce((latest, [, , , ended]) => Math.max(latest, ended), Math.max(chart.total_ns, 1));
    const failed = new Set(stuck.map(([lane]) => names[LANES][lane]));
    told = (grid, row, nanos) => (grid === LANES ? ofLane(chart.lanes[row]) : rows[row].says(nanos));

    const series = reveille.drawn.stages.map(({ name, colour }, stage) => {
      const bars = passages.filter((it) => it[1] === stage).map(([lane, , from, to]) => [lane, from, to]);
      return reveille.bars(LANES, name, colour, bars);
    });
    if (stuck.length > 0) {
      const name = 'did not come up';
      const data = stuck.map(([lane, from]) => [lane, from, end]);
      const renderItem = reason(theme, (lane) => reasonOf(chart.lanes[lane]));
      series.push(reveille.bars(LANES, name, hatching(theme), data));
      series.push({ name, type: 'custom', data, encode: { x: 1, y: 0 }, renderItem, silent: true, clip: true, z: 3 });
    }
    rows.forEach(({ name, colour, spans }, row) => {
      const bars = spans.map(({ began_ns, ended_ns }) => [row, began_ns, ended_ns]);
      series.push(reveille.bars(ABOVE, name, theme[colour], bars));
    });
    if (chart.online_ns != null) {
      series[0].markLine = {
        symbol: 'none', silent: true, lineStyle: { color: theme.ink, type: 'solid', width: 1 },
        label: {
          color: theme.ink, formatter: `${chart.online} of ${chart.aps} APs online ${millis(chart.online_ns)} ms`, position: 'start',
          align: chart.online_ns > end / 2 ? 'right' : 'left',
        },
        data: [{ xAxis: chart.online_ns }],
      };
    }

    const legend = [...new Set(series.map(({ name }) => name))];
    const top = reveille.legendHeight(legend, canvas.clientWidth);
    const upper = rows.length * ROW;
    const lower = Math.min(Math.max(chart.lanes.length * ROW, 40), MOST);
    const sides = { left: 84, right: 40 };
    return {
      height: top + upper + lower + 100,
      legend: { ...reveille.base(theme).legend, data: legend },
      grid: [{ ...sides, top: top + upper + 24, height: lower }, { ...sides, show: false, top, height: upper }],
      ...axes(theme, end, names, failed),
      tooltip: { ...reveille.base(theme).tooltip, triggerOn: 'none' },
      dataZoom: zooms(theme),
      series,
    };
  };

  // Says what is under the pointer, or the finger.
  const hover = (chart) => {
    const show = ({ offsetX: x, offsetY: y }) => {
      const grid = [LANES, ABOVE].find((gridIndex) => chart.containPixel({ gridIndex }, [x, y]));
      const [nanos, row] = grid === undefined ? [] : chart.convertFromPixel({ gridIndex: grid }, [x, y]);
      const html = grid === undefined ? '' : told(grid, row, nanos);
      if (html) chart.dispatchAction({ type: 'showTip', x, y, tooltip: { formatter: () => html } });
      else chart.dispatchAction({ type: 'hideTip' });
    };
    chart.getZr().on('mousemove', show);
    chart.getZr().on('click', show);
    chart.getZr().on('globalout', () => chart.dispatchAction({ type: 'hideTip' }));
  };

  // Without a key the wheel scrolls the page, of which ECharts would take hold.
  const letGo = (figure) => {
    const pass = (event) => { if (!event.ctrlKey && !event.shiftKey) event.stopPropagation(); };
    figure.querySelector('.canvas').addEventListener('wheel', pass, { capture: true, passive: true });
  };

  // The same zoom by keyboard: about the middle of what is seen.
  const buttons = (chart, figure) => {
    const set = (dataZoomIndex, start, end) => chart.dispatchAction({ type: 'dataZoom', dataZoomIndex, start, end });
    const zoom = (factor) => {
      const { start, end } = chart.getOption().dataZoom[0];
      const [middle, half] = [(start + end) / 2, ((end - start) / 2) * factor];
      set(0, Math.max(middle - half, 0), Math.min(middle + half, 100));
    };
    const actions = { in: () => zoom(0.5), out: () => zoom(2), all: () => [0, 1].forEach((it) => set(it, 0, 100)) };
    for (const button of figure.querySelectorAll('[data-action]')) {
      button.addEventListener('click', actions[button.dataset.action]);
    }
  };

  reveille.draw('timeline', draw, (chart, figure) => {
    hover(chart);
    letGo(figure);
    buttons(chart, figure);
  });
}
