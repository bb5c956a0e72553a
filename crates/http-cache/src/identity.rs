//! By what an answer is found: its target, and the fields that are part of the key.

use std::{
    fmt::{self, Write},
    hash::{Hash, Hasher},
    sync::Arc,
};

use http::{HeaderMap, HeaderName, Uri};

use crate::engine::Key;

/// The target of a request, and the values of those of its fields that make a difference. A clone is the same.
///
/// A store of one's own only carries it.
#[derive(Clone)]
pub struct Identity {
    text: Arc<str>,
    target: usize,
}

impl Identity {
    /// None when it is not clear whose target it is.
    pub(crate) fn of(uri: &Uri, headers: &HeaderMap, fields: &[HeaderName]) -> Option<Self> {
        let key = Key::of(uri, headers)?;
        let target = key.as_str().len();
        if fields.is_empty() {
            return Some(Self { text: key.into_text(), target });
        }
        let mut text = String::from(key.as_str());
        write_fields(&mut text, headers, fields.iter());
        Some(Self { text: text.into(), target })
    }

    /// That of a target for which no fields make a difference.
    pub(crate) fn of_target(target: &str) -> Self {
        Self { text: target.into(), target: target.len() }
    }

    /// That of what is kept of the target itself, beside the answers for it.
    pub(crate) fn root(target: &str) -> Self {
        Self { text: format!("{target}\n").into(), target: target.len() }
    }

    pub(crate) fn target(&self) -> &str {
        &self.text[..self.target]
    }

    pub(crate) fn len(&self) -> usize {
        self.text.len()
    }

    pub(crate) fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// The same, apart from requests with other values in the fields that an answer varies by.
    pub(crate) fn apart<'a>(
        &self,
        headers: &HeaderMap,
        fields: impl Iterator<Item = &'a HeaderName>,
    ) -> Arc<str> {
        let mut text = String::from(&*self.text);
        text.push('\n');
        write_fields(&mut text, headers, fields);
        text.into()
    }
}

/// What no target has divides the fields: a space. Values are written so that each can be told from each.
fn write_fields<'a>(
    text: &mut String,
    headers: &HeaderMap,
    fields: impl Iterator<Item = &'a HeaderName>,
) {
    for name in fields {
        for value in headers.get_all(name) {
            let _ = write!(text, " {name}={}:{}", value.len(), value.as_bytes().escape_ascii());
        }
    }
}

impl PartialEq for Identity {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Identity {}

impl Hash for Identity {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

/// Without the fields, which may be secrets.
impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.target(), f)
    }
}
