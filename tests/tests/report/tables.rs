//! The tables: they have the figures of the results, and sort.

use reveille_tests::bench::{results::Results, stats::summary::Summary};
use serde_json::{Value, json};
use thirtyfour::{By, Key};

use crate::{
    browser::{Page, open},
    inputs::kept,
    inputs::{all, committed, with_boot},
};

/// The values of a column, row by row, of the table that strategies have; `null` where there is none.
const COLUMN: &str = "
    const table = document.querySelector('#strategies table.sortable');
    return [...table.tBodies[0].rows].map(row => {
        const value = row.cells[arguments[0]].dataset.value;
        return value === undefined ? null : Number(value);
    })";

impl Page {
    async fn column(&self, index: usize) -> Vec<Option<f64>> {
        self.js(COLUMN, &[json!(index)]).await
    }

    /// The number of the column in which the medians are.
    async fn medians(&self) -> usize {
        let heads: Vec<String> = self
            .js(
                "const table = document.querySelector('#strategies table.sortable');
                 return [...table.tHead.rows[0].cells].map(cell => cell.textContent.trim())",
                &[],
            )
            .await;
        let is_it = |head: &String| head.contains("online");
        heads
            .iter()
            .position(is_it)
            .expect("there is such a column")
    }

    async fn sorted_as(&self, index: usize) -> String {
        let script = "const table = document.querySelector('#strategies table.sortable');
                      return table.tHead.rows[0].cells[arguments[0]].getAttribute('aria-sort')";
        self.js(script, &[json!(index)]).await
    }
}

#[test]
fn the_figures_of_the_tables_are_those_of_the_results() {
    let report = all();
    open("figures", &report, async |page| {
        let shown: Vec<(String, String, String)> = page
            .js(
                "const rows = document.querySelectorAll('#strategies table.sortable tbody tr');
                 return [...rows].map(row => [row.dataset.machine, row.dataset.contender,
                     [...row.querySelectorAll('[data-value]')].map(it => it.dataset.value).join(' ')])",
                &[],
            )
            .await;
        let results = Results::read(&committed("strategies")).expect("it is committed");
        let mut compared = 0;
        for group in Summary::of(&results).groups {
            for row in &group.rows {
                let machine = group.machine.to_string();
                let is_it =
                    |it: &&(String, String, String)| it.0 == machine && it.1 == row.contender;
                let (.., values) = shown.iter().find(is_it).expect("it has a row");
                let values: Vec<&str> = values.split(' ').collect();
                let interval = row.online_ns.interval.expect("there are several boots");
                for value in [row.online_ns.median, interval.low] {
                    let value = value.round().to_string();
                    assert!(
                        values.contains(&&*value),
                        "{machine} {}: {value}: {values:?}",
                        row.contender
                    );
                    compared += 1;
                }
            }
        }
        assert_eq!(compared, 4 * 7 * 2);
    });
}

#[test]
fn a_column_sorts_by_its_figures_up_and_down_by_mouse_and_by_keyboard() {
    let report = with_boot(kept(8));
    open("sort", &report, async |page| {
        let index = page.medians().await;
        let before = page.column(index).await;
        let heads = By::Css("#strategies table.sortable thead th button");
        let heads = page.driver.find_all(heads).await.expect("it has heads");
        let head = &heads[index];
        let mut up = before.clone();
        up.sort_by(|one, other| one.partial_cmp(other).expect("they are numbers"));
        let down: Vec<_> = up.iter().rev().copied().collect();
        assert_ne!(before, up, "it is in no order at first");
        head.scroll_into_view().await.expect("it is there");
        head.click().await.expect("it can be clicked");
        assert_eq!(page.column(index).await, up);
        assert_eq!(page.sorted_as(index).await, "ascending");
        head.click().await.expect("it can be clicked");
        assert_eq!(page.column(index).await, down);
        assert_eq!(page.sorted_as(index).await, "descending");
        // The same by keys: one sorts by a press of Enter, the other by the space bar.
        head.focus().await.expect("it takes the focus");
        head.send_keys(Key::Enter).await.expect("it takes keys");
        assert_eq!(page.column(index).await, up);
        head.send_keys(Key::Space).await.expect("it takes keys");
        assert_eq!(page.column(index).await, down);
        // A row is moved as a whole.
        let rows: Vec<Value> = page
            .js(
                "const rows = document.querySelectorAll('#strategies table.sortable tbody tr');
                 return [...rows].map(row => [row.dataset.machine, row.cells[0].textContent.trim()])",
                &[],
            )
            .await;
        assert!(rows.iter().all(|row| row[0] == row[1]), "{rows:?}");
        assert_eq!(page.complaints().await, [""; 0]);
    });
}
