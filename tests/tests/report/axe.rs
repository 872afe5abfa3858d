//! axe-core, which looks for what keeps people out of a page.

use std::fs;

use serde_json::Value;

use crate::browser::{Page, scratch, skip};

/// What is found serious or worse, a line each with the elements.
const RUN: &str = "
    const done = arguments[0];
    axe.run(document, {resultTypes: ['violations'], preload: false}).then(
        found => done(found.violations
            .filter(it => ['serious', 'critical'].includes(it.impact))
            .map(it => `${it.impact}: ${it.id}: ${it.help}: `
                + it.nodes.slice(0, 5).map(node => node.html.slice(0, 200)).join(' | '))),
        error => done([`axe: ${error}`]));";

impl Page {
    /// Lets axe look at the page as it is. Where there is no axe, that is said.
    pub(crate) async fn keeps_nobody_out(&self, how: &str) {
        let path = scratch().join("axe/package/axe.min.js");
        let Ok(axe) = fs::read_to_string(&path) else {
            return skip(
                "axe-core is not in target/xtask/axe, so it has looked at no report; .ci/run puts it there",
            );
        };
        let _defined: Value = self.js(&axe, &[]).await;
        let found = self
            .driver
            .execute_async(RUN, vec![])
            .await
            .expect("it runs");
        let found: Vec<String> = found.convert().expect("it gives lines");
        assert!(found.is_empty(), "{how}: {found:#?}");
    }
}
