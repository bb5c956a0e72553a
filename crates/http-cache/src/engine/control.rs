//! `Cache-Control`, of responses and of requests (RFC 9111 section 5.2).

use std::time::Duration;

use http::{HeaderMap, HeaderName, header};

use super::{age, fields, structured};

/// What a response says of how it may be kept.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[allow(clippy::struct_excessive_bools, reason = "directives are there or not")]
pub(super) struct Control {
    pub(super) max_age: Option<Duration>,
    pub(super) s_maxage: Option<Duration>,
    pub(super) stale_while_revalidate: Option<Duration>,
    pub(super) stale_if_error: Option<Duration>,
    pub(super) no_store: bool,
    pub(super) no_cache: bool,
    /// The fields that are not to be used without asking, in place of the whole response.
    pub(super) no_cache_fields: Vec<HeaderName>,
    pub(super) private: bool,
    pub(super) public: bool,
    pub(super) must_revalidate: bool,
    pub(super) proxy_revalidate: bool,
    pub(super) must_understand: bool,
}

impl Control {
    /// What the targeted field says that comes first in the list and is valid (RFC 9213 section 2.2), or else
    /// `Cache-Control`. Tells also whether it was a targeted one.
    pub(super) fn of(headers: &HeaderMap, targeted: &[HeaderName]) -> (Self, bool) {
        for name in targeted {
            if headers.contains_key(name)
                && let Some(control) = structured::control(headers, name)
            {
                return (control, true);
            }
        }
        let mut control = Self::default();
        for directive in fields::members(headers, &header::CACHE_CONTROL) {
            let (name, value) = divided(directive);
            control.set(&name.to_ascii_lowercase(), value);
        }
        (control, false)
    }

    /// Of several that bear the same name the first counts. What should be a number and is none is as zero.
    fn set(&mut self, name: &str, value: Option<&str>) {
        let span = || Duration::from_secs(value.and_then(number).unwrap_or(0));
        match name {
            "max-age" => self.max_age = self.max_age.or_else(|| Some(span())),
            "s-maxage" => self.s_maxage = self.s_maxage.or_else(|| Some(span())),
            "stale-if-error" => self.stale_if_error = self.stale_if_error.or_else(|| Some(span())),
            "stale-while-revalidate" => {
                self.stale_while_revalidate = self.stale_while_revalidate.or_else(|| Some(span()));
            }
            "no-store" => self.no_store = true,
            "no-cache" => match value {
                None => self.no_cache = true,
                Some(value) => self.set_no_cache_fields(value),
            },
            // With names of fields it would allow the rest to be kept; to keep nothing is always right.
            "private" => self.private = true,
            "public" => self.public = true,
            "must-revalidate" => self.must_revalidate = true,
            "proxy-revalidate" => self.proxy_revalidate = true,
            "must-understand" => self.must_understand = true,
            _ => {}
        }
    }

    fn set_no_cache_fields(&mut self, value: &str) {
        for name in fields::list(unquoted(value)) {
            match name.parse() {
                Ok(name) => self.no_cache_fields.push(name),
                Err(_) => self.no_cache = true,
            }
        }
    }

    /// The same from a targeted field, whose values have types.
    pub(super) fn set_typed(&mut self, name: &str, value: structured::Value) -> bool {
        use structured::Value::{Flag, Number, Other};
        match (name, value) {
            (
                "max-age" | "s-maxage" | "stale-while-revalidate" | "stale-if-error",
                Number(seconds),
            ) => {
                let span = Some(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)));
                match name {
                    "max-age" => self.max_age = span,
                    "s-maxage" => self.s_maxage = span,
                    "stale-if-error" => self.stale_if_error = span,
                    _ => self.stale_while_revalidate = span,
                }
                true
            }
            ("max-age" | "s-maxage" | "stale-while-revalidate" | "stale-if-error", _) => false,
            (_, Flag(false) | Number(_)) => true,
            (_, Flag(true) | Other) => {
                self.set(name, None);
                true
            }
        }
    }
}

/// What a request says of what it takes (RFC 9111 section 5.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Wishes {
    pub(super) max_age: Option<Duration>,
    /// Any age, when it says no number.
    pub(super) max_stale: Option<Duration>,
    pub(super) min_fresh: Option<Duration>,
    pub(super) no_cache: bool,
    pub(super) no_store: bool,
    pub(super) only_if_cached: bool,
}

impl Wishes {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let mut wishes = Self::default();
        if !headers.contains_key(header::CACHE_CONTROL) {
            // RFC 9111 section 5.4: only where there is no `Cache-Control`.
            wishes.no_cache = fields::members(headers, &header::PRAGMA)
                .any(|pragma| pragma.eq_ignore_ascii_case("no-cache"));
            return wishes;
        }
        for directive in fields::members(headers, &header::CACHE_CONTROL) {
            let (name, value) = divided(directive);
            let span = value.and_then(number).map(Duration::from_secs);
            match name.to_ascii_lowercase().as_str() {
                // What is no number is the strictest.
                "max-age" => wishes.max_age = Some(span.unwrap_or_default()),
                "max-stale" => {
                    let any = if value.is_none() { Duration::MAX } else { Duration::ZERO };
                    wishes.max_stale = Some(span.unwrap_or(any));
                }
                "min-fresh" => wishes.min_fresh = Some(span.unwrap_or(Duration::MAX)),
                "no-cache" => wishes.no_cache = true,
                "no-store" => wishes.no_store = true,
                "only-if-cached" => wishes.only_if_cached = true,
                _ => {}
            }
        }
        wishes
    }
}

fn divided(directive: &str) -> (&str, Option<&str>) {
    match directive.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (directive, None),
    }
}

/// A number, perhaps within quotes.
fn number(value: &str) -> Option<u64> {
    age::seconds(unquoted(value))
}

fn unquoted(value: &str) -> &str {
    value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value)
}
