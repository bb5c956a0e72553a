//! Dictionaries of RFC 9651, as far as targeted fields need them (RFC 9213 section 2.1).

use http::{HeaderMap, HeaderName};

use super::control::Control;

/// A value of a dictionary, as far as it says something here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value {
    Number(i64),
    Flag(bool),
    Other,
}

/// What a targeted field says; none when it is no valid dictionary, or a value is not of its type. It is then ignored as
/// a whole.
pub(super) fn control(headers: &HeaderMap, name: &HeaderName) -> Option<Control> {
    let mut control = Control::default();
    let mut is_empty = true;
    for line in headers.get_all(name) {
        let mut rest = Rest(line.to_str().ok()?.trim_matches(' '));
        while !rest.0.is_empty() {
            let (name, value) = rest.member()?;
            is_empty = false;
            if !control.set_typed(name, value) {
                return None;
            }
            if !rest.0.is_empty() {
                rest.expect(',')?;
                rest.skip_space();
                if rest.0.is_empty() {
                    return None;
                }
            }
        }
    }
    (!is_empty).then_some(control)
}

/// What is left of a line.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    fn member(&mut self) -> Option<(&'a str, Value)> {
        let name = self.key()?;
        let value = if self.expect('=').is_some() { self.value()? } else { Value::Flag(true) };
        while self.expect(';').is_some() {
            self.skip_space();
            self.key()?;
            if self.expect('=').is_some() {
                self.bare()?;
            }
        }
        self.skip_space();
        Some((name, value))
    }

    fn value(&mut self) -> Option<Value> {
        if self.expect('(').is_none() {
            return self.bare();
        }
        loop {
            self.skip_space();
            if self.expect(')').is_some() {
                return Some(Value::Other);
            }
            self.bare()?;
            if !self.0.starts_with([' ', ')']) {
                return None;
            }
        }
    }

    fn bare(&mut self) -> Option<Value> {
        let first = self.0.chars().next()?;
        match first {
            '?' => {
                let value = self.take(2)?;
                Some(Value::Flag(match value {
                    "?1" => true,
                    "?0" => false,
                    _ => return None,
                }))
            }
            '-' | '0'..='9' => self.number(),
            '"' => self.string(),
            ':' => {
                let end = self.0[1..].find(':')? + 2;
                let inner = self.take(end)?;
                let is_base64 = |byte: u8| {
                    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b':')
                };
                inner.bytes().all(is_base64).then_some(Value::Other)
            }
            '*' | 'a'..='z' | 'A'..='Z' => {
                let is_of_token =
                    |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~:/".contains(c);
                let end = self.0.find(|c| !is_of_token(c)).unwrap_or(self.0.len());
                self.take(end).map(|_| Value::Other)
            }
            _ => None,
        }
    }

    fn number(&mut self) -> Option<Value> {
        let sign = usize::from(self.0.starts_with('-'));
        let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
        let whole = digits(&self.0[sign..]);
        if !(1..=15).contains(&whole) {
            return None;
        }
        let text = self.take(sign + whole)?;
        if self.0.starts_with('.') {
            let fraction = digits(&self.0[1..]);
            if whole > 12 || !(1..=3).contains(&fraction) {
                return None;
            }
            self.take(1 + fraction)?;
            return Some(Value::Other);
        }
        text.parse().ok().map(Value::Number)
    }

    fn string(&mut self) -> Option<Value> {
        let mut escaped = false;
        for (at, byte) in self.0.bytes().enumerate().skip(1) {
            match byte {
                b'"' | b'\\' if escaped => escaped = false,
                _ if escaped => return None,
                b'\\' => escaped = true,
                b'"' => return self.take(at + 1).map(|_| Value::Other),
                0x20..=0x7e => {}
                _ => return None,
            }
        }
        None
    }

    fn key(&mut self) -> Option<&'a str> {
        if !self.0.starts_with(|c: char| c.is_ascii_lowercase() || c == '*') {
            return None;
        }
        let is_of_key =
            |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-.*".contains(c);
        let end = self.0.find(|c| !is_of_key(c)).unwrap_or(self.0.len());
        self.take(end)
    }

    fn take(&mut self, count: usize) -> Option<&'a str> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn expect(&mut self, wanted: char) -> Option<()> {
        self.0 = self.0.strip_prefix(wanted)?;
        Some(())
    }

    fn skip_space(&mut self) {
        self.0 = self.0.trim_start_matches([' ', '\t']);
    }
}
