// Tables sort by the figures in `data-value`, or else by their words. What has no figure comes last.
'use strict';
{
  const words = new Intl.Collator('en', { numeric: true });

  const sort = (table, head, column) => {
    const sign = head.getAttribute('aria-sort') === 'ascending' ? -1 : 1;
    const key = (row) => {
      const { dataset, textContent } = row.cells[column];
      const hasFigures = head.classList.contains('figure');
      const value = dataset.value === undefined ? null : Number(dataset.value);
      return hasFigures ? value : dataset.value ?? textContent.trim();
    };
    const body = table.tBodies[0];
    const keyed = Array.from(body.rows, (row) => [key(row), row]);
    keyed.sort(([a], [b]) => {
      if (a === null || b === null) return (a === null) - (b === null);
      return sign * (typeof a === 'number' ? a - b : words.compare(a, b));
    });
    body.append(...keyed.map(([, row]) => row));
    for (const other of head.parentElement.cells) other.setAttribute('aria-sort', 'none');
    head.setAttribute('aria-sort', sign > 0 ? 'ascending' : 'descending');
  };

  for (const table of document.querySelectorAll('table.sortable')) {
    Array.from(table.tHead.rows[0].cells, (head, column) =>
      head.querySelector('button').addEventListener('click', () => sort(table, head, column)));
  }
}
