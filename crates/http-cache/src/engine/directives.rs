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
