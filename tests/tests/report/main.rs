//! `report.html` in a browser: Chromium, headless, through its own driver.
//!
//! What the pages show is compared with what they were made from. Pages and screenshots stay in
//! `target/tmp/report/`, for a look. Where there is no browser, or no axe, that is said (`cargo xtask test` shows
//! it), and `.ci/run` fetches both.

mod axe;
mod browser;
mod inputs;
mod looks;
mod opens;
mod tables;
mod timeline;
