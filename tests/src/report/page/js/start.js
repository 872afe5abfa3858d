// What the page's scripts share. The figures are those of the page: `data` has the report, `drawn` what of it
// each chart shows.
'use strict';

window.reveille = {
  charts: {},
  data: JSON.parse(document.getElementById('data').textContent),
  drawn: JSON.parse(document.getElementById('drawn').textContent),
};
document.documentElement.classList.add('has-scripts');
