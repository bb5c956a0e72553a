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

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    const NAMES: [HeaderName; 6] =
        [ACCEPT_LANGUAGE, ACCEPT_ENCODING, COOKIE, AUTHORIZATION, CONTENT_LANGUAGE, VARY];

    fn request() -> impl Strategy<Value = HeaderMap> {
        let value = prop_oneof![
            proptest::collection::vec(0x20_u8..=0xff, 0..20),
            "((en|de|\\*)(;q=(0\\.[0-9]|[0-2]|nan|inf|-1))?, ?){0,3}".prop_map(String::into_bytes),
        ];
        let value = value.prop_filter_map("a value", |value| HeaderValue::from_bytes(&value).ok());
        let field = ((0..NAMES.len()).prop_map(|at| NAMES[at].clone()), value);
        proptest::collection::vec(field, 0..6).prop_map(|fields| {
            let mut headers = HeaderMap::new();
            for (name, value) in fields {
                headers.append(name, value);
            }
            headers
        })
    }

    fn varying(names: &[HeaderName]) -> HeaderMap {
        let names: Vec<_> = names.iter().map(HeaderName::as_str).collect();
        HeaderMap::from_iter([(VARY, HeaderValue::try_from(names.join(" ,")).unwrap())])
    }

    proptest! {
        #[test]
        fn a_response_is_for_the_one_who_asked(request in request()) {
            let selecting = Selecting::of(&varying(&NAMES), &request).unwrap();
            prop_assert!(selecting.fits(&request, &HeaderMap::new()));
            prop_assert!(!Selecting::nobody().fits(&request, &HeaderMap::new()));
        }

        #[test]
        fn who_fits_one_another_fit_both_ways(one in request(), other in request()) {
            let [first, second] = [&one, &other].map(|request| Selecting::of(&varying(&NAMES), request).unwrap());
            let none = HeaderMap::new();
            prop_assert_eq!(first.fits(&other, &none), second.fits(&one, &none));
        }

        #[test]
        fn credentials_are_the_same_byte_by_byte(one in request(), other in request()) {
            for name in [COOKIE, AUTHORIZATION] {
                let selecting = Selecting::of(&varying(std::slice::from_ref(&name)), &one).unwrap();
                let same = joined(&one, &name) == joined(&other, &name);
                prop_assert_eq!(selecting.fits(&other, &HeaderMap::new()), same);
            }
        }

        #[test]
        fn names_in_any_order_and_case_are_the_same(
            names in proptest::sample::subsequence(NAMES.to_vec(), 0..6).prop_shuffle(),
        ) {
            let mut sorted = names.clone();
            sorted.sort_unstable_by_key(|name| name.as_str().to_owned());
            let mut shouted = varying(&names);
            let text = shouted[VARY].to_str().unwrap().to_uppercase();
            shouted.insert(VARY, HeaderValue::try_from(text).unwrap());
            let none = HeaderMap::new();
            let selecting = Selecting::of(&shouted, &none).unwrap();
            prop_assert!(selecting.names_same(&Selecting::of(&varying(&sorted), &none).unwrap()));
        }

        #[test]
        fn what_varies_by_all_or_by_no_name_is_for_nobody(
            names in "[a-z]{1,3}( ?, ?[a-z]{1,3}){0,2}",
            wrong in "\\*|[a-z] [a-z]|\"a\"|[()<>]",
        ) {
            let both = HeaderMap::from_iter([(VARY, HeaderValue::try_from(format!("{names}, {wrong}")).unwrap())]);
            prop_assert!(Selecting::of(&both, &HeaderMap::new()).is_none());
        }

        #[test]
        fn preferences_have_no_order_of_their_own(
            wishes in proptest::collection::vec("(en|de|fr|\\*)(; ?[qQ]=(0\\.[0-9]{1,3}|1))?", 0..5),
        ) {
            let reversed: Vec<_> = wishes.iter().rev().cloned().collect();
            let [one, other] = [&wishes, &reversed].map(|all| preferences(all.join(",").as_bytes()));
            prop_assert!(one.iter().all(|(_, weight)| *weight <= 1000));
            prop_assert_eq!(one, other);
        }
    }
}
