//! `Cache-Control`, as a response and as a request say it.

use std::time::Duration;

use http::{HeaderMap, HeaderName, header::CACHE_CONTROL};

use super::{list, rules::Rules, targeted};

/// What a response says on how it may be cached: parsed once, when it is stored.
///
/// Of equal directives the first counts. A lifetime that is no number means stale
/// ([RFC 9111, section 4.2.1](https://www.rfc-editor.org/rfc/rfc9111#section-4.2.1)).
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is a word of the field, and all may come together"
)]
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Directives {
    pub(super) max_age: Option<Duration>,
    pub(super) s_maxage: Option<Duration>,
    pub(super) stale_if_error: Option<Duration>,
    pub(super) stale_while_revalidating: Option<Duration>,
    pub(super) no_store: bool,
    pub(super) no_cache: bool,
    pub(super) private: bool,
    pub(super) public: bool,
    pub(super) must_revalidate: bool,
    pub(super) proxy_revalidate: bool,
    pub(super) must_understand: bool,
    pub(super) immutable: bool,
    /// Whether a targeted field has replaced `Cache-Control` and `Expires`.
    pub(super) targeted: bool,
    /// The fields that `no-cache` and `private` name: not to be kept.
    pub(super) withheld: Vec<HeaderName>,
}

impl Directives {
    /// What this cache is to obey: the first valid targeted field, else `Cache-Control`.
    pub(super) fn of(rules: &Rules, headers: &HeaderMap) -> Self {
        let targets = if rules.shared { &rules.targeted[..] } else { &[] };
        targets
            .iter()
            .find_map(|name| targeted::directives(headers, name))
            .unwrap_or_else(|| Self::of_cache_control(headers))
    }

    fn of_cache_control(headers: &HeaderMap) -> Self {
        let mut directives = Self::default();
        for member in list::members(headers, CACHE_CONTROL) {
            directives.add(member);
        }
        directives
    }

    fn add(&mut self, member: &[u8]) {
        let (name, value) = named(member);
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        let age = || seconds(value);
        if is("max-age") {
            self.max_age.get_or_insert_with(age);
        } else if is("s-maxage") {
            self.s_maxage.get_or_insert_with(age);
        } else if is("stale-if-error") {
            self.stale_if_error.get_or_insert_with(age);
        } else if is("stale-while-revalidate") {
            self.stale_while_revalidating.get_or_insert_with(age);
        } else if is("no-cache") {
            self.no_cache |= !value.and_then(unquoted).is_some_and(|names| self.withholds(names));
        } else if is("private") {
            self.private |= !value.and_then(unquoted).is_some_and(|names| self.withholds(names));
        } else {
            self.flag(name);
        }
    }

    /// The directives without an argument, by their names in lower case.
    fn flag(&mut self, name: &[u8]) {
        for (known, flag) in [
            ("no-store", &mut self.no_store),
            ("public", &mut self.public),
            ("must-revalidate", &mut self.must_revalidate),
            ("proxy-revalidate", &mut self.proxy_revalidate),
            ("must-understand", &mut self.must_understand),
            ("immutable", &mut self.immutable),
        ] {
            *flag |= name.eq_ignore_ascii_case(known.as_bytes());
        }
    }

    /// Notes the fields that the argument names, and says whether it named any: an argument that
    /// is no quoted list of names leaves the directive at its full strength.
    pub(super) fn withholds(&mut self, names: &[u8]) -> bool {
        let names: Vec<_> = list::in_line(names).map(HeaderName::from_bytes).collect();
        let valid = !names.is_empty() && names.iter().all(Result::is_ok);
        if valid {
            self.withheld.extend(names.into_iter().flatten());
        }
        valid
    }

    /// Whether what is stale may not be served without asking, whatever happens.
    pub(super) fn forbid_stale(&self, rules: &Rules) -> bool {
        let for_shared = self.proxy_revalidate || self.s_maxage.is_some();
        self.must_revalidate || self.no_cache || (rules.shared && for_shared)
    }

    /// Whether a shared cache may store an answer to a request with `Authorization`.
    pub(super) fn open_to_all(&self) -> bool {
        self.public || self.must_revalidate || self.s_maxage.is_some()
    }
}

/// What a request asks of caches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Wishes {
    pub(super) no_cache: bool,
    pub(super) no_store: bool,
    pub(super) only_if_cached: bool,
    pub(super) max_age: Option<Duration>,
    pub(super) min_fresh: Option<Duration>,
    /// Without a number it is any age.
    pub(super) max_stale: Option<Duration>,
}

impl Wishes {
    /// Adds a line of `Cache-Control`.
    pub(super) fn add_line(&mut self, line: &[u8]) {
        for (name, value) in list::in_line(line).map(named) {
            let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
            self.no_cache |= is("no-cache");
            self.no_store |= is("no-store");
            self.only_if_cached |= is("only-if-cached");
            if is("max-age") {
                self.max_age.get_or_insert_with(|| seconds(value));
            } else if is("max-stale") {
                let any = Duration::MAX;
                self.max_stale.get_or_insert_with(|| value.map_or(any, |_| seconds(value)));
            } else if is("min-fresh")
                && let Some(wish) = value.map(bare).and_then(list::number)
            {
                // What is no number asks for nothing: there is no safe reading of it.
                self.min_fresh.get_or_insert(Duration::from_secs(wish));
            }
        }
    }
}

/// Name and argument of a directive. Space around the sign makes the argument invalid, and leaves
/// the name: a lifetime is lost that way, a restriction is not.
fn named(member: &[u8]) -> (&[u8], Option<&[u8]>) {
    match member.iter().position(|&byte| byte == b'=') {
        Some(equals) => {
            let name = list::trimmed(&member[..equals]);
            (name, Some(&member[name.len() + 1..]))
        }
        None => (member, None),
    }
}

/// A lifetime; what is no number is none, which is the safe side.
fn seconds(value: Option<&[u8]>) -> Duration {
    Duration::from_secs(value.map(bare).and_then(list::number).unwrap_or_default())
}

/// Without the quotes that some senders put around numbers.
fn bare(value: &[u8]) -> &[u8] {
    unquoted(value).unwrap_or(value)
}

fn unquoted(value: &[u8]) -> Option<&[u8]> {
    value.strip_prefix(b"\"")?.strip_suffix(b"\"")
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    /// A directive as it is written, its name in lower case, and its seconds if it is to have such.
    type Written = (String, &'static str, Option<u64>);

    const SPANS: [&str; 4] = ["max-age", "s-maxage", "stale-if-error", "stale-while-revalidate"];
    const FLAGS: [&str; 8] = [
        "no-store",
        "no-cache",
        "private",
        "public",
        "must-revalidate",
        "proxy-revalidate",
        "must-understand",
        "immutable",
    ];

    fn written() -> impl Strategy<Value = Written> {
        let span = prop_oneof![
            (0..u64::MAX).prop_map(|number| (number.to_string(), number)),
            (0_u64..99).prop_map(|number| (format!("\"{number}\""), number)),
            "9{21,30}".prop_map(|text| (text, u64::MAX)),
            "|-[0-9]|[0-9]\\.5|[0-9]s| [0-9]|\"\"|\"x[0-9]\"".prop_map(|text| (text, 0)),
        ];
        let span = (prop::sample::select(&SPANS[..]), span)
            .prop_map(|(name, (value, seconds))| (format!("{name}={value}"), name, Some(seconds)));
        let flag = prop::sample::select(&FLAGS[..]).prop_map(|name| (name.to_owned(), name, None));
        let other = "(x|max_age|no-stor|no-caches)(=[a-z0-9]{1,3}|=\"1, public\")?"
            .prop_map(|text| (text, "", None));
        let directive = prop_oneof![3 => span, 3 => flag, 1 => other];
        (directive, any::<bool>()).prop_map(|((text, name, seconds), is_shouted)| {
            (if is_shouted { text.to_uppercase() } else { text }, name, seconds)
        })
    }

    fn of(lines: &[&str]) -> Directives {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(CACHE_CONTROL, HeaderValue::try_from(*line).unwrap());
        }
        Directives::of(&Rules::private(), &headers)
    }

    proptest! {
        #[test]
        fn a_response_says_what_is_written(
            all in proptest::collection::vec(written(), 0..6),
            space in "[ \t]{0,2}(,[ \t]?){0,2}",
        ) {
            let texts: Vec<_> = all.iter().map(|(text, ..)| text.as_str()).collect();
            let has = |name: &str| all.iter().any(|(_, known, _)| *known == name);
            let first = |name: &str| {
                let seconds = all.iter().find(|(_, known, _)| *known == name)?.2?;
                Some(Duration::from_secs(seconds))
            };
            let expected = Directives {
                max_age: first(SPANS[0]),
                s_maxage: first(SPANS[1]),
                stale_if_error: first(SPANS[2]),
                stale_while_revalidating: first(SPANS[3]),
                no_store: has("no-store"),
                no_cache: has("no-cache"),
                private: has("private"),
                public: has("public"),
                must_revalidate: has("must-revalidate"),
                proxy_revalidate: has("proxy-revalidate"),
                must_understand: has("must-understand"),
                immutable: has("immutable"),
                ..Directives::default()
            };
            prop_assert_eq!(&of(&[&texts.join(&format!("{space},{space}"))]), &expected);
            prop_assert_eq!(&of(&texts), &expected);
        }

        #[test]
        fn what_restricts_is_never_hidden_by_what_stands_before_it(
            before in r#"([a-z]{1,3}=?"?[a-z0-9 \\]{0,3}"?,){0,3}"#,
        ) {
            // As many quotes as there are before it can be closed by none that comes after it.
            prop_assert!(of(&[&format!("{before}no-store")]).no_store, "{}", before);
        }

        #[test]
        fn fields_that_are_named_are_withheld_and_leave_the_rest(
            names in "[a-z]{1,3}( ?, ?[A-Z]{1,3}){0,3}",
            wrong in "\"\"|\"a b\"|\"\\(\"|a|\"a|",
        ) {
            for word in ["no-cache", "private"] {
                let named = of(&[&format!("{word}=\"{names}\"")]);
                let expected: Vec<_> = names.split(',').map(|name| name.trim().parse::<HeaderName>().unwrap()).collect();
                prop_assert_eq!(&named.withheld, &expected);
                prop_assert!(!named.no_cache && !named.private);
                let strict = of(&[&format!("{word}={wrong}")]);
                prop_assert!(strict.withheld.is_empty() && (strict.no_cache || strict.private));
            }
        }

        #[test]
        fn a_request_wishes_what_is_written(
            all in proptest::collection::vec(
                "(No-Cache|no-store|only-if-cached|max-stale|(max-age|max-stale|min-fresh)=([0-9]{1,22}|\"[0-9]\"|x|))", 0..5,
            ),
        ) {
            let first = |name: &str| {
                let mut values = all.iter().filter_map(|one| one.strip_prefix(name)?.strip_prefix('='));
                values.find(|value| name != "min-fresh" || !matches!(*value, "" | "x"))
            };
            let span = |name: &str| {
                let number = first(name)?.trim_matches('"').parse::<u128>().unwrap_or(0);
                Some(Duration::from_secs(number.try_into().unwrap_or(u64::MAX)))
            };
            let has = |name: &str| all.iter().any(|one| one.eq_ignore_ascii_case(name));
            let bare = all.iter().find(|one| one.starts_with("max-stale")).is_some_and(|one| one == "max-stale");
            let expected = Wishes {
                no_cache: has("no-cache"),
                no_store: has("no-store"),
                only_if_cached: has("only-if-cached"),
                max_age: span("max-age"),
                min_fresh: span("min-fresh"),
                max_stale: if bare { Some(Duration::MAX) } else { span("max-stale") },
            };
            let (mut in_one, mut in_lines) = (Wishes::default(), Wishes::default());
            in_one.add_line(all.join(" , ").as_bytes());
            for one in &all {
                in_lines.add_line(one.as_bytes());
            }
            prop_assert_eq!(in_one, expected);
            prop_assert_eq!(in_lines, expected);
        }

        #[test]
        fn no_bytes_are_too_strange(line in proptest::collection::vec(any::<u8>(), 0..60)) {
            Wishes::default().add_line(&line);
            if let Ok(value) = HeaderValue::from_bytes(&line) {
                let headers = HeaderMap::from_iter([(CACHE_CONTROL, value)]);
                let _ = Directives::of(&Rules::shared(), &headers);
            }
        }
    }
}
