//! Which of several answers is the one for a request (RFC 9111 section 4.1).

use http::{HeaderMap, HeaderName, header};

use super::fields;

/// The fields of a request that chose an answer, as they were.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Selection(Vec<(HeaderName, Option<String>)>);

impl Selection {
    /// Those that the answer's `Vary` names; none when it varies by more than can be known.
    pub(super) fn of(request: &HeaderMap, response: &HeaderMap) -> Option<Self> {
        let mut selection = Vec::new();
        for name in fields::members(response, &header::VARY) {
            // `*` is no name of a field.
            let name: HeaderName = if name == "*" { return None } else { name.parse().ok()? };
            let value = normal(request, &name);
            selection.push((name, value));
        }
        Some(Self(selection))
    }

    pub(super) fn is_of(&self, request: &HeaderMap) -> bool {
        self.0.iter().all(|(name, value)| *value == normal(request, name))
    }

    pub(super) fn bytes(&self) -> usize {
        let bytes = |value: &Option<String>| value.as_ref().map_or(0, String::len);
        self.0.iter().map(|(name, value)| name.as_str().len() + bytes(value) + 64).sum()
    }
}

/// All lines of a field as one, with what makes no difference taken out.
fn normal(request: &HeaderMap, name: &HeaderName) -> Option<String> {
    if !request.contains_key(name) {
        return None;
    }
    let mut lines = request.get_all(name).iter();
    if lines.any(|line| line.to_str().is_err()) {
        // What is no text is told apart byte by byte.
        return Some(format!("{:?}", request.get_all(name).iter().collect::<Vec<_>>()));
    }
    let mut members: Vec<String> = fields::members(request, name).map(without_space).collect();
    if *name == header::ACCEPT_LANGUAGE || *name == header::ACCEPT_ENCODING {
        for member in &mut members {
            member.make_ascii_lowercase();
        }
        // The order says nothing where the weights do (RFC 9110 section 12.5.4).
        members.sort_unstable();
    }
    Some(members.join(","))
}

/// Without the space around the signs that divide, and with single space elsewhere.
fn without_space(member: &str) -> String {
    if member.contains('"') {
        return member.to_owned();
    }
    let parts = member.split(';').map(|part| {
        let sides =
            part.split('=').map(|side| side.split_ascii_whitespace().collect::<Vec<_>>().join(" "));
        sides.collect::<Vec<_>>().join("=")
    });
    parts.collect::<Vec<_>>().join(";")
}
