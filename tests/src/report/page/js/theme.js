// The colours of now, which the style sheet decides: light, dark, or paper.
'use strict';
{
  const NAMES = ['ink', 'muted', 'rule', 'faint', 'paper', 'failed', 'poll', 'sleep', 'serial'];

  reveille.theme = () => {
    const style = getComputedStyle(document.documentElement);
    return Object.fromEntries(NAMES.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
  };

  // What all charts look like.
  reveille.base = (theme) => ({
    animation: false,
    backgroundColor: 'transparent',
    textStyle: { color: theme.ink, fontFamily: 'system-ui, sans-serif' },
    legend: {
      type: 'plain', top: 0, left: 0, itemGap: 14, itemWidth: 20, itemHeight: 10,
      textStyle: { color: theme.ink }, inactiveColor: theme.muted,
    },
    tooltip: {
      confine: true, transitionDuration: 0, backgroundColor: theme.paper, borderColor: theme.muted,
      textStyle: { color: theme.ink, fontSize: 13 }, extraCssText: 'box-shadow: none; border-radius: 2px; max-width: 22rem; white-space: normal;',
    },
  });

  reveille.axis = (theme, more) => ({
    nameTextStyle: { color: theme.muted },
    axisLabel: { color: theme.muted, hideOverlap: true },
    axisLine: { show: true, onZero: false, lineStyle: { color: theme.muted } },
    axisTick: { show: true, lineStyle: { color: theme.muted } },
    splitLine: { show: true, lineStyle: { color: theme.rule } },
    minorSplitLine: { show: false },
    ...more,
  });

  const pen = document.createElement('canvas').getContext('2d');
  reveille.textWidth = (text, size) => {
    pen.font = `${size}px system-ui, sans-serif`;
    return Math.ceil(pen.measureText(text).width);
  };

  // How high a legend is on a canvas of that width, for what comes below it.
  reveille.legendHeight = (names, width) => {
    const widths = names.map((name) => reveille.textWidth(name, 12) + 20 + 5 + 14);
    let [lines, used] = [1, 0];
    for (const item of widths) {
      if (used + item > width && used > 0) [lines, used] = [lines + 1, 0];
      used += item;
    }
    return lines * 28;
  };

  // A contender's colour. Who has none takes that of the text.
  reveille.colour = (look, theme) => look.colour ?? theme.muted;
}
