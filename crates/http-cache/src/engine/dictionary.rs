//! Dictionaries of structured fields.

/// What a member of a dictionary is, as far as caches need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Boolean(bool),
    Integer(i64),
    String(Vec<u8>),
    /// A decimal, a token, bytes, a date, a display string or an inner list.
    Other,
}

/// The members of a dictionary, of equal keys the last, or `None` when the text is no dictionary
/// ([RFC 9651, section 4.2.2](https://www.rfc-editor.org/rfc/rfc9651#section-4.2.2)).
pub(super) fn parse(text: &[u8]) -> Option<Vec<(String, Value)>> {
    let mut at = Cursor(text);
    let mut members: Vec<(String, Value)> = Vec::new();
    at.skip(b" ");
    while !at.0.is_empty() {
        if members.len() == MOST {
            return None;
        }
        let key = at.key()?;
        let value = if at.eat(b'=') { at.item_or_list()? } else { Value::Boolean(true) };
        at.parameters()?;
        members.retain(|(known, _)| *known != key);
        members.push((key, value));
        at.skip(b" \t");
        if at.0.is_empty() {
            break;
        }
        at.expect(b',')?;
        at.skip(b" \t");
        // A comma at the end is an error.
        at.peek()?;
    }
    Some(members)
}

/// As many members as every reader must take; more would be an attack.
const MOST: usize = 1024;

/// What is left of a text that is read from left to right.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn peek(&self) -> Option<u8> {
        self.0.first().copied()
    }

    fn next(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    fn eat(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        if there {
            self.0 = &self.0[1..];
        }
        there
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        self.eat(byte).then_some(())
    }

    fn skip(&mut self, set: &[u8]) {
        self.take(|byte| set.contains(&byte));
    }

    fn take(&mut self, belongs: impl Fn(u8) -> bool) -> &'a [u8] {
        let end = self.0.iter().position(|&byte| !belongs(byte)).unwrap_or(self.0.len());
        let (taken, rest) = self.0.split_at(end);
        self.0 = rest;
        taken
    }

    fn key(&mut self) -> Option<String> {
        let first = self.peek()?;
        if !(first.is_ascii_lowercase() || first == b'*') {
            return None;
        }
        let key = self.take(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-.*".contains(&byte)
        });
        String::from_utf8(key.to_vec()).ok()
    }

    fn parameters(&mut self) -> Option<()> {
        while self.eat(b';') {
            self.skip(b" ");
            self.key()?;
            if self.eat(b'=') {
                self.bare_item()?;
            }
        }
        Some(())
    }

    fn item_or_list(&mut self) -> Option<Value> {
        if !self.eat(b'(') {
            return self.bare_item();
        }
        loop {
            self.skip(b" ");
            if self.eat(b')') {
                return Some(Value::Other);
            }
            self.bare_item()?;
            self.parameters()?;
            if !matches!(self.peek()?, b' ' | b')') {
                return None;
            }
        }
    }

    fn bare_item(&mut self) -> Option<Value> {
        match self.peek()? {
            b'-' | b'0'..=b'9' => self.number(),
            b'"' => self.string(),
            b'?' => {
                self.next();
                match self.next()? {
                    b'0' => Some(Value::Boolean(false)),
                    b'1' => Some(Value::Boolean(true)),
                    _ => None,
                }
            }
            b':' => {
                self.next();
                self.take(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte));
                self.expect(b':')?;
                Some(Value::Other)
            }
            b'@' => {
                self.next();
                matches!(self.number()?, Value::Integer(_)).then_some(Value::Other)
            }
            b'%' => {
                self.next();
                self.expect(b'"')?;
                self.take(|byte| matches!(byte, b' '..=b'~') && byte != b'"');
                self.expect(b'"')?;
                Some(Value::Other)
            }
            first if first.is_ascii_alphabetic() || first == b'*' => {
                self.take(|byte| {
                    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~:/".contains(&byte)
                });
                Some(Value::Other)
            }
            _ => None,
        }
    }

    fn number(&mut self) -> Option<Value> {
        let negative = self.eat(b'-');
        let whole = self.take(|byte| byte.is_ascii_digit());
        if self.eat(b'.') {
            let part = self.take(|byte| byte.is_ascii_digit());
            let valid = (1..=12).contains(&whole.len()) && (1..=3).contains(&part.len());
            return valid.then_some(Value::Other);
        }
        let size =
            if (1..=15).contains(&whole.len()) { super::list::number(whole)? } else { None? };
        let size = i64::try_from(size).ok()?;
        Some(Value::Integer(if negative { -size } else { size }))
    }

    fn string(&mut self) -> Option<Value> {
        self.expect(b'"')?;
        let mut text = Vec::new();
        loop {
            match self.next()? {
                b'"' => return Some(Value::String(text)),
                b'\\' => text.push(self.next().filter(|byte| matches!(byte, b'"' | b'\\'))?),
                byte @ b' '..=b'~' => text.push(byte),
                _ => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(text: &str) -> Option<Vec<(String, Value)>> {
        parse(text.as_bytes())
    }

    #[test]
    fn every_type_is_read() {
        let text = r#"a=1, b=-20;x=1;y, c, d=?0, e="x\"y", f=1.5, g=tok/en, h=:YQ==:, i=@5, j=%"a", k=(1 "b";q=2)"#;
        let members = of(text).unwrap();
        let values: Vec<_> = members.iter().map(|(_, value)| value.clone()).collect();
        let mut expected = vec![
            Value::Integer(1),
            Value::Integer(-20),
            Value::Boolean(true),
            Value::Boolean(false),
            Value::String(b"x\"y".to_vec()),
        ];
        expected.extend(vec![Value::Other; 6]);
        assert_eq!(values, expected);
    }

    #[test]
    fn the_last_of_equal_keys_counts() {
        assert_eq!(of("a=1, a=2"), Some(vec![("a".to_owned(), Value::Integer(2))]));
    }

    #[test]
    fn the_number_of_members_is_bounded() {
        let many =
            |count: usize| (0..count).map(|at| format!("a{at}")).collect::<Vec<_>>().join(",");
        assert_eq!(of(&many(1024)).map(|members| members.len()), Some(1024));
        assert_eq!(of(&many(1025)), None);
    }

    #[test]
    fn what_is_no_dictionary_is_none() {
        for text in
            ["A=1", "a =1", "a= 1", "a=1,", "a=1, &&", "a=1 b", "a=\"x", "a=?2", "a=1.", "a=-"]
        {
            assert_eq!(of(text), None, "{text}");
        }
        assert_eq!(of("a=1234567890123456"), None);
        assert_eq!(of(""), Some(vec![]));
    }

    proptest! {
        #[test]
        fn nothing_panics(text in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = parse(&text);
        }

        #[test]
        fn nothing_panics_near_the_grammar(text in r#"[a-z0-9=,;()"\\?:@%. \t*-]{0,40}"#) {
            let _ = of(&text);
        }

        #[test]
        fn what_is_written_is_read(
            members in proptest::collection::vec(("[a-z*][a-z0-9_.*-]{0,3}", value()), 0..6),
            space in "[ \t]{0,2}",
            parameters in "(; ?[a-z]{1,2}(=-?[1-9]{1,3})?){0,2}",
        ) {
            let written = |(key, (value, _)): &(String, (String, Value))| match value.as_str() {
                "" => format!("{key}{parameters}"),
                value => format!("{key}={value}{parameters}"),
            };
            let text = members.iter().map(written).collect::<Vec<_>>().join(&format!("{space},{space}"));
            let mut expected: Vec<(String, Value)> = Vec::new();
            for (key, (_, value)) in members {
                expected.retain(|(known, _)| *known != key);
                expected.push((key, value));
            }
            prop_assert_eq!(of(&text), Some(expected));
        }
    }

    /// A value as it is written, and what it is.
    fn value() -> impl Strategy<Value = (String, Value)> {
        let string = proptest::collection::vec(b' '..=b'~', 0..6).prop_map(|text| {
            let written: Vec<u8> = text
                .iter()
                .flat_map(|&byte| match byte {
                    b'"' | b'\\' => vec![b'\\', byte],
                    byte => vec![byte],
                })
                .collect();
            (format!("\"{}\"", String::from_utf8(written).unwrap()), Value::String(text))
        });
        let most = 999_999_999_999_999_i64;
        prop_oneof![
            (-most..=most).prop_map(|number| (number.to_string(), Value::Integer(number))),
            any::<bool>().prop_map(|flag| (format!("?{}", u8::from(flag)), Value::Boolean(flag))),
            Just((String::new(), Value::Boolean(true))),
            string,
            "[0-9]{1,12}\\.[0-9]{1,3}|[a-zA-Z*][a-z0-9/:~]{0,4}|:[a-zA-Z0-9+/]{0,4}:|@-?[0-9]{1,15}|\\( *([0-9]{1,3}(;a)? )*\\)"
                .prop_map(|text| (text, Value::Other)),
        ]
    }
}
