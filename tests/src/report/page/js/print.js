// On paper: the light colours, charts as wide as the page, and tables that were folded away or not chosen.
'use strict';
{
  const WIDTH = 680; // Pixels: A4 less its margins.
  const opened = [];
  const shown = [];

  addEventListener('beforeprint', () => {
    document.documentElement.dataset.print = '';
    for (const details of document.querySelectorAll('figure details:not([open])')) {
      details.open = true;
      opened.push(details);
    }
    for (const part of document.querySelectorAll('[data-choice][hidden]')) {
      part.hidden = false;
      shown.push(part);
    }
    document.querySelectorAll('.canvas').forEach((canvas) => { canvas.style.width = `${WIDTH}px`; });
    reveille.redraw();
  });

  addEventListener('afterprint', () => {
    delete document.documentElement.dataset.print;
    opened.splice(0).forEach((details) => { details.open = false; });
    shown.splice(0).forEach((part) => { part.hidden = true; });
    document.querySelectorAll('.canvas').forEach((canvas) => { canvas.style.width = ''; });
    reveille.redraw();
  });
}
