//! Stories as header fields have them.

use std::{
    fmt::Display,
    time::{Duration, SystemTime},
};

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request as HttpRequest};

use crate::{
    reckoning::START,
    story::{Directive, Expires, Form, Head, Number, Request, Verb, Wish},
};

/// The one target of all stories.
pub const TARGET: &str = "http://a/b";

impl Request {
    /// The request as it is sent.
    #[must_use]
    pub fn written(&self) -> HttpRequest<()> {
        let mut request = HttpRequest::new(());
        *request.method_mut() = match self.method {
            Verb::Get => Method::GET,
            Verb::Head => Method::HEAD,
            Verb::Post => Method::POST,
        };
        *request.uri_mut() = http::Uri::from_static(TARGET);
        let fields = request.headers_mut();
        if !self.wishes.is_empty() {
            add(fields, "cache-control", list(&self.wishes, wish));
        }
        for (name, choice) in ["a", "b"].into_iter().zip(self.choices) {
            if let Some(choice) = choice {
                add(fields, name, choice);
            }
        }
        if self.authorization {
            add(fields, "authorization", "me");
        }
        if self.cookie {
            add(fields, "cookie", "a=b");
        }
        if let Some(tag) = self.if_none_match {
            add(fields, "if-none-match", format!("\"{tag}\""));
        }
        request
    }
}

fn wish(wish: Wish) -> String {
    match wish {
        Wish::NoCache => "No-Cache".to_owned(),
        Wish::NoStore => "no-store".to_owned(),
        Wish::OnlyIfCached => "only-if-cached".to_owned(),
        Wish::MaxAge(most) => format!("max-age={most}"),
        Wish::MinFresh(least) => format!("min-fresh={least}"),
        Wish::MaxStale(None) => "max-stale".to_owned(),
        Wish::MaxStale(Some(most)) => format!("max-stale={most}"),
    }
}

impl Head {
    /// The fields of the response.
    #[must_use]
    pub fn written(&self) -> HeaderMap {
        let mut fields = HeaderMap::new();
        if let Some(all) = &self.cache_control {
            add(&mut fields, "cache-control", list(all, directive));
        }
        if let Some(all) = &self.targeted {
            add(&mut fields, "cdn-cache-control", list(all, directive));
        }
        if let Some(age) = self.age {
            add(&mut fields, "age", number(age));
        }
        if let Some((form, at)) = self.date {
            add(&mut fields, "date", date(form, at));
        }
        match self.expires {
            Some(Expires::At(form, at)) => add(&mut fields, "expires", date(form, at)),
            Some(Expires::Twice(at)) => {
                add(&mut fields, "expires", date(Form::Imf, at));
                add(&mut fields, "expires", date(Form::Imf, at.saturating_add(1)));
            }
            Some(Expires::None) => add(&mut fields, "expires", "0"),
            None => {}
        }
        if let Some((form, hours)) = self.last_modified {
            add(&mut fields, "last-modified", date(form, i64::from(hours) * 3600));
        }
        if let Some(tag) = self.etag {
            add(&mut fields, "etag", format!("\"{tag}\""));
        }
        if let Some(by) = self.vary {
            let chosen = ["a", "B"].into_iter().zip(by).filter_map(|(name, is)| is.then_some(name));
            add(&mut fields, "vary", chosen.collect::<Vec<_>>().join(","));
        }
        if self.set_cookie {
            add(&mut fields, "set-cookie", "a=b");
        }
        if !self.connection.is_empty() {
            add(&mut fields, "connection", list(&self.connection, |field| field.name().to_owned()));
        }
        fields
    }
}

fn directive(directive: Directive) -> String {
    match directive {
        Directive::MaxAge(age) => format!("max-age={}", number(age)),
        Directive::SMaxage(age) => format!("s-maxage={}", number(age)),
        Directive::StaleIfError(age) => format!("stale-if-error={}", number(age)),
        Directive::StaleWhileRevalidate(age) => format!("stale-while-revalidate={}", number(age)),
        Directive::NoCache(Some(field)) => format!("no-cache=\"{}\"", field.name()),
        Directive::NoCache(None) => "no-cache".to_owned(),
        Directive::Private(Some(field)) => format!("private=\"{}\"", field.name()),
        Directive::Private(None) => "private".to_owned(),
        Directive::NoStore => "no-store".to_owned(),
        Directive::Public => "public".to_owned(),
        Directive::MustRevalidate => "must-revalidate".to_owned(),
        Directive::ProxyRevalidate => "proxy-revalidate".to_owned(),
        Directive::MustUnderstand => "must-understand".to_owned(),
        Directive::Immutable => "immutable".to_owned(),
        Directive::Unknown => "x=\"1, max-age=999, \\\", public\"".to_owned(),
    }
}

fn number(number: Number) -> String {
    match number {
        Number::Small(number) => number.to_string(),
        Number::Great(number) => number.to_string(),
        Number::Absurd => "9".repeat(30),
        Number::Quoted(number) => format!("\"{number}\""),
        Number::None => "soon".to_owned(),
    }
}

/// So many seconds after the start, in one of the three forms of a date.
fn date(form: Form, after: impl Into<i64>) -> String {
    let seconds = START.saturating_add_signed(after.into() * 1000) / 1000;
    let imf = httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
    let words: Vec<&str> = imf.split([' ', ',']).filter(|word| !word.is_empty()).collect();
    let &[weekday, day, month, year, time, _] = words.as_slice() else { return imf };
    match form {
        Form::Imf => imf,
        Form::Rfc850 => {
            let long =
                ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
            let weekday =
                long.into_iter().find(|long| long.starts_with(weekday)).unwrap_or(weekday);
            format!("{weekday}, {day}-{month}-{} {time} GMT", &year[2..])
        }
        Form::Asctime => {
            let day = day.strip_prefix('0').map_or_else(|| day.to_owned(), |day| format!(" {day}"));
            format!("{weekday} {month} {day} {time} {year}")
        }
    }
}

fn list<T: Copy>(all: &[T], written: impl Fn(T) -> String) -> String {
    all.iter().copied().map(written).collect::<Vec<_>>().join(", ")
}

fn add(fields: &mut HeaderMap, name: &'static str, value: impl Display) {
    if let Ok(value) = HeaderValue::try_from(value.to_string()) {
        fields.append(HeaderName::from_static(name), value);
    }
}
