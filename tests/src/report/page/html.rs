//! A page as its tests look at it: what a tokenizer for browsers makes of it.

use html5gum::{DefaultEmitter, Token, Tokenizer};

/// Elements that have no end.
const VOID: [&str; 5] = ["meta", "img", "br", "input", "wbr"];

/// An element, in the order in which they begin.
#[derive(Debug)]
pub(super) struct Element {
    /// Its name.
    pub(super) name: String,
    /// Its attributes.
    pub(super) attributes: Vec<(String, String)>,
    /// The text in it and in those within it.
    pub(super) text: String,
}

impl Element {
    /// An attribute's value.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let mut attributes = self.attributes.iter();
        attributes
            .find(|(it, _)| it == name)
            .map(|(_, value)| value.as_str())
    }
}

/// All elements of a page.
///
/// # Panics
///
/// A tokenizer finds an error in it, or an element is not ended where it should be.
pub(super) fn elements(page: &str) -> Vec<Element> {
    let mut emitter = DefaultEmitter::default();
    // What is in scripts and styles is text.
    emitter.naively_switch_states(true);
    let mut elements: Vec<Element> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    for token in Tokenizer::new_with_emitter(page, emitter) {
        match token.expect("a text can be read") {
            Token::StartTag(tag) => {
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                let name = text(&tag.name);
                let is_void = VOID.contains(&name.as_str());
                elements.push(Element {
                    name,
                    attributes: tag
                        .attributes
                        .iter()
                        .map(|(name, value)| (text(name), text(value)))
                        .collect(),
                    text: String::new(),
                });
                if !is_void {
                    open.push(elements.len() - 1);
                }
            }
            Token::EndTag(tag) => {
                let last = open.pop().map(|it| elements[it].name.clone());
                let ended = String::from_utf8_lossy(&tag.name).into_owned();
                assert_eq!(
                    last,
                    Some(ended),
                    "elements end in another order than they began"
                );
            }
            Token::String(text) => {
                let text = String::from_utf8_lossy(&text);
                open.iter().for_each(|&it| elements[it].text += &text);
            }
            Token::Error(error) => panic!("not well-formed: {error:?}"),
            Token::Comment(_) | Token::Doctype(_) => {}
        }
    }
    assert!(open.is_empty(), "elements are not ended");
    elements
}
