//! How a report looks, to whom and where: light and dark, on a desk and a phone, on paper, and to a screen reader.

use crate::{
    browser::{DESK, Page, open},
    inputs::some,
};

/// A narrow phone's window.
const PHONE: (u32, u32) = (360, 780);

impl Page {
    /// Scrolls to the end and back, so that whatever is drawn when it is looked at has been.
    pub(crate) async fn scrolled_through(&self) {
        let sections: usize = self
            .js(
                "return document.querySelectorAll('main section').length",
                &[],
            )
            .await;
        for index in 0..sections {
            let _at: serde_json::Value = self
                .js(
                    "document.querySelectorAll('main section')[arguments[0]].scrollIntoView()",
                    &[serde_json::json!(index)],
                )
                .await;
            self.settled().await;
        }
        let _top: serde_json::Value = self.js("scrollTo(0, 0)", &[]).await;
        self.settled().await;
    }

    async fn ink(&self) -> String {
        self.js("return getComputedStyle(document.body).color", &[])
            .await
    }
}

#[test]
fn it_keeps_nobody_out_in_light_or_dark_on_a_desk_or_a_phone() {
    open("looks", &some(), async |page| {
        let mut inks = Vec::new();
        for (device, size) in [("desk", DESK), ("phone", PHONE)] {
            page.resize(size).await;
            for scheme in ["light", "dark"] {
                page.media("screen", scheme).await;
                page.scrolled_through().await;
                let how = format!("{device}-{scheme}");
                page.keeps_nobody_out(&how).await;
                inks.push(page.ink().await);
                page.screenshot(&how).await;
                let (wide, window): (f64, f64) = page
                    .js(
                        "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]",
                        &[],
                    )
                    .await;
                assert!(
                    wide <= window,
                    "{how}: {wide} pixels in a window of {window}"
                );
            }
        }
        assert_ne!(inks[0], inks[1], "what is dark has light letters");
        assert_eq!(page.complaints().await, [""; 0]);
    });
}

#[test]
fn on_paper_all_tables_are_open_whatever_is_chosen_and_nothing_is_there_to_press() {
    open("print", &some(), async |page| {
        page.scrolled_through().await;
        let _told: serde_json::Value = page
            .js("dispatchEvent(new Event('beforeprint'))", &[])
            .await;
        page.media("print", "light").await;
        let pressed: Vec<String> = page
            .js(
                "return [...document.querySelectorAll('figure .controls *')]
                     .filter(it => it.checkVisibility()).map(it => it.outerHTML)",
                &[],
            )
            .await;
        assert_eq!(pressed, [""; 0]);
        let shut: Vec<String> = page
            .js(
                "return [...document.querySelectorAll('figure details table')]
                     .filter(it => it.getBoundingClientRect().height < 20 || !it.checkVisibility(
                         {contentVisibilityAuto: true}))
                     .map(it => it.closest('figure').id)",
                &[],
            )
            .await;
        assert_eq!(shut, [""; 0]);
        let drawn: String = page
            .js(
                "const caption = document.querySelector('#chart-distributions figcaption');
                 return getComputedStyle(caption, '::before').content",
                &[],
            )
            .await;
        assert!(drawn.contains("Drawn: "), "{drawn}");
        page.screenshot("paper").await;
        page.print().await;
        // On the screen what was not chosen is away again.
        page.media("screen", "light").await;
        let _told: serde_json::Value = page.js("dispatchEvent(new Event('afterprint'))", &[]).await;
        let away: usize = page
            .js(
                "return document.querySelectorAll('[data-choice][hidden]').length",
                &[],
            )
            .await;
        assert!(away > 0);
    });
}
