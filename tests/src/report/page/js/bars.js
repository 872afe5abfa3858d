// Thousands of bars as one element: a shape that walks over plain numbers, so that a frame costs no more than what
// is drawn, and nothing is made for it.
'use strict';
{
  const THINNEST = 0.75; // Pixels: what is shorter is still seen.

  echarts.graphic.registerShape('bars', echarts.graphic.extendShape({
    type: 'bars',
    shape: { numbers: [], x: 0, y: 0, perNano: 0, perRow: 0, height: 0, left: 0, right: 0, top: 0, bottom: 0 },
    buildPath: (path, { numbers, x, y, perNano, perRow, height, left, right, top, bottom }) => {
      let [lastRow, drawnTo] = [-1, 0];
      for (let at = 0; at < numbers.length; at += 3) {
        const row = numbers[at];
        const above = Math.max(y + row * perRow - height / 2, top);
        const below = Math.min(y + row * perRow + height / 2, bottom);
        const from = Math.max(x + numbers[at + 1] * perNano, left);
        const to = Math.min(Math.max(x + numbers[at + 2] * perNano, from + THINNEST), right);
        // What is out of sight, and what the pixel before has already.
        if (below <= above || to <= from || (row === lastRow && to <= drawnTo)) continue;
        path.rect(from, above, to - from, below - above);
        [lastRow, drawnTo] = [row, to];
      }
    },
  }));

  // A series of bars [row, from, until] in a grid, the rows from the top and the times in nanoseconds. Its only item
  // is all of them.
  reveille.bars = (grid, name, color, bars) => {
    const numbers = Float64Array.from(bars.flat());
    const renderItem = ({ coordSys }, api) => {
      const [x, y] = api.coord([0, 0]);
      const [perNano, perRow] = api.size([1, 1]);
      return {
        type: 'bars',
        style: { fill: color },
        shape: {
          numbers, x, y, perNano, perRow, height: perRow > 5 ? perRow * 0.8 : perRow,
          left: coordSys.x, right: coordSys.x + coordSys.width, top: coordSys.y, bottom: coordSys.y + coordSys.height,
        },
      };
    };
    return { name, type: 'custom', color, xAxisIndex: grid, yAxisIndex: grid, data: [[0, 0]], renderItem, silent: true };
  };
}
