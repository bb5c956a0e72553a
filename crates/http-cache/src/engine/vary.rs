//! Which request fields chose a stored response.

use http::{
    HeaderMap, HeaderName,
    header::{
        ACCEPT_ENCODING, ACCEPT_LANGUAGE, AUTHORIZATION, CONTENT_LANGUAGE, COOKIE,
        PROXY_AUTHORIZATION, VARY,
    },
};

use super::list;

/// The fields that `Vary` names, with the values that the request had, its lines joined.
#[derive(Debug, Clone, Default)]
pub(super) struct Selecting {
    fields: Box<[Field]>,
    /// It is for no request.
    nobody: bool,
}

#[derive(Debug, Clone)]
struct Field {
    name: HeaderName,
    /// `None` when the request had no such field, which is another value than an empty one.
    value: Option<Box<[u8]>>,
}

impl Selecting {
    /// `None` for `Vary: *`, or a name that is none.
    pub(super) fn of(response: &HeaderMap, request: &HeaderMap) -> Option<Self> {
        let mut names = list::members(response, VARY)
            .map(|name| HeaderName::from_bytes(name).ok().filter(|name| name.as_str() != "*"))
            .collect::<Option<Vec<_>>>()?;
        names.sort_unstable_by(|one, other| one.as_str().cmp(other.as_str()));
        names.dedup();
        let field = |name: HeaderName| Field { value: joined(request, &name), name };
        Some(Self { fields: names.into_iter().map(field).collect(), nobody: false })
    }

    /// Whether a request with these fields would have chosen the same response.
    pub(super) fn fits(&self, request: &HeaderMap, response: &HeaderMap) -> bool {
        !self.nobody && self.fields.iter().all(|field| field.fits(request, response))
    }

    /// For no request: by what it would be chosen is not known.
    pub(super) fn nobody() -> Self {
        Self { nobody: true, ..Self::default() }
    }

    /// Whether both name the same fields.
    pub(super) fn names_same(&self, other: &Self) -> bool {
        self.fields.iter().map(|field| &field.name).eq(other.fields.iter().map(|field| &field.name))
    }

    /// The bytes it takes in memory.
    pub(super) fn bytes(&self) -> usize {
        let value = |field: &Field| field.value.as_ref().map_or(0, |value| value.len());
        self.fields
            .iter()
            .map(|field| size_of::<Field>() + field.name.as_str().len() + value(field))
            .sum()
    }
}

impl Field {
    fn fits(&self, request: &HeaderMap, response: &HeaderMap) -> bool {
        let mut lines = request.get_all(&self.name).iter();
        let one = match (lines.next(), lines.next()) {
            (line, None) => self.is_like(line.map(http::HeaderValue::as_bytes)),
            (_, Some(_)) => self.is_like(joined(request, &self.name).as_deref()),
        };
        one || (self.name == ACCEPT_LANGUAGE && is_first_choice(request, response))
    }

    /// Whether a value means the same as the stored one.
    fn is_like(&self, value: Option<&[u8]>) -> bool {
        match (self.value.as_deref(), value) {
            (None, None) => true,
            (Some(stored), Some(value)) => stored == value || self.means(stored, value),
            _ => false,
        }
    }

    fn means(&self, stored: &[u8], value: &[u8]) -> bool {
        if [COOKIE, AUTHORIZATION, PROXY_AUTHORIZATION].contains(&self.name) {
            // Credentials are compared byte by byte.
            false
        } else if self.name == ACCEPT_LANGUAGE || self.name == ACCEPT_ENCODING {
            preferences(stored) == preferences(value)
        } else {
            list::in_line(stored).eq(list::in_line(value))
        }
    }
}

/// Whether the stored response is in the one language that the request likes best: whatever else
/// the first client accepted, this one is served as if it had asked itself.
fn is_first_choice(request: &HeaderMap, response: &HeaderMap) -> bool {
    let Some(wishes) = joined(request, &ACCEPT_LANGUAGE) else { return false };
    let mut wishes = preferences(&wishes);
    wishes.sort_by_key(|(_, weight)| std::cmp::Reverse(*weight));
    let mut languages = list::members(response, CONTENT_LANGUAGE);
    let (Some(language), None) = (languages.next(), languages.next()) else { return false };
    match wishes.as_slice() {
        [(first, weight)] => *weight > 0 && first.eq_ignore_ascii_case(language),
        [(first, weight), (_, next), ..] => weight > next && first.eq_ignore_ascii_case(language),
        [] => false,
    }
}

/// The members in lower case with their weights, in an order of their own: members of equal weight
/// are not ranked ([RFC 9110, section 12.4.2](https://www.rfc-editor.org/rfc/rfc9110#section-12.4.2)).
fn preferences(value: &[u8]) -> Vec<(Vec<u8>, u16)> {
    let mut all: Vec<_> = list::in_line(value)
        .map(|member| {
            let end = member.iter().position(|&byte| byte == b';').unwrap_or(member.len());
            let name = list::trimmed(&member[..end]).to_ascii_lowercase();
            (name, weight(member.get(end + 1..).unwrap_or_default()))
        })
        .collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// In thousandths. What is no weight is taken as the least, so that it matches only its like.
fn weight(parameter: &[u8]) -> u16 {
    let parameter = list::trimmed(parameter);
    if parameter.is_empty() {
        return 1000;
    }
    let text = std::str::from_utf8(parameter).unwrap_or_default();
    let value = text.split_once('=').filter(|(name, _)| name.trim().eq_ignore_ascii_case("q"));
    let weight = value.and_then(|(_, weight)| weight.trim().parse::<f32>().ok()).unwrap_or(0.0);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1000")]
    let thousandths = (weight.clamp(0.0, 1.0) * 1000.0).round() as u16;
    thousandths
}

/// All lines of a field as one.
fn joined(headers: &HeaderMap, name: &HeaderName) -> Option<Box<[u8]>> {
    let mut lines = headers.get_all(name).iter();
    let mut all = lines.next()?.as_bytes().to_vec();
    for line in lines {
        all.extend_from_slice(b", ");
        all.extend_from_slice(line.as_bytes());
    }
    Some(all.into())
}
