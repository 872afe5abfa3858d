// On paper: the light colours, charts as wide as the page, and tables that were folded away.
'use strict';
{
  const WIDTH = 680; // Pixels: A4 less its margins.
  const opened = [];

  addEventListener('beforeprint', () => {
    document.documentElement.dataset.print = '';
    for (const details of document.querySelectorAll('details:not([open])')) {
      details.open = true;
      opened.push(details);
    }
    document.querySelectorAll('.canvas').forEach((canvas) => { canvas.style.width = `${WIDTH}px`; });
    reveille.redraw();
  });

  addEventListener('afterprint', () => {
    delete document.documentElement.dataset.print;
    opened.splice(0).forEach((details) => { details.open = false; });
    document.querySelectorAll('.canvas').forEach((canvas) => { canvas.style.width = ''; });
    reveille.redraw();
  });
}
