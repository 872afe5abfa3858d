//! Data and scripts inside the page.
//!
//! **Whatever a machine or a failure is called, it cannot end the element that it stands in.** In data `<` is
//! written as JSON's own escape of it, so that neither `</script>` nor `<!--` occurs.

use anyhow::Result;
use maud::{Markup, PreEscaped, html};
use serde::Serialize;

/// Data that scripts read by its id.
pub(super) fn data(id: &str, value: &impl Serialize) -> Result<Markup> {
    let json = serde_json::to_string(value)?.replace('<', "\\u003c");
    Ok(html! { script type="application/json" id=(id) { (PreEscaped(json)) } })
}

/// A script of our own or a library's, which is none of the data.
pub(super) fn script(source: &'static str) -> Markup {
    html! { script { (PreEscaped(source)) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_cannot_end_its_element_and_is_read_back_as_it_was() {
        let hostile = "</script><!-- \" ' & \u{2028} 🦀";
        let markup = data("it", &hostile).expect("it is JSON").into_string();
        let json = markup.trim_start_matches("<script type=\"application/json\" id=\"it\">");
        let json = json.trim_end_matches("</script>");
        assert!(!json.contains('<'), "{json}");
        assert_eq!(serde_json::from_str::<String>(json).expect("JSON"), hostile);
    }
}
