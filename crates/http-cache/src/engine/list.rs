//! Comma-separated lists in header fields.

use http::{HeaderMap, header::AsHeaderName};

/// The members of a list field, over all its lines, without the space around them. Commas within
/// quoted strings do not divide; empty members are left out.
pub(super) fn members<N: AsHeaderName>(
    headers: &HeaderMap,
    name: N,
) -> impl Iterator<Item = &[u8]> {
    headers.get_all(name).into_iter().flat_map(|line| in_line(line.as_bytes()))
}

/// The members of one line.
pub(super) fn in_line(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    Members { rest: Some(line), plain: false }.filter(|member| !member.is_empty())
}

#[derive(Debug)]
struct Members<'a> {
    rest: Option<&'a [u8]>,
    /// A quote stayed open, or closed where nothing ends: it and those after it quote nothing.
    plain: bool,
}

impl<'a> Iterator for Members<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let line = self.rest?;
        let end = self.comma(line);
        self.rest = end.map(|end| &line[end + 1..]);
        Some(trimmed(&line[..end.unwrap_or(line.len())]))
    }
}

impl Members<'_> {
    /// The first comma that divides. A quote that is never closed quotes nothing, nor does one after which something follows
    /// but a comma: it must not hide the directives after it, nor cost a search to the end for each of them.
    fn comma(&mut self, line: &[u8]) -> Option<usize> {
        let plainly = || line.iter().position(|&byte| byte == b',');
        if self.plain {
            return plainly();
        }
        let (mut quoted, mut literal, mut closed, mut broken) = (false, false, false, false);
        let end = line.iter().position(|&byte| {
            broken |= closed && !matches!(byte, b',' | b' ' | b'\t');
            let escape = quoted && !literal && byte == b'\\';
            let is_quote = byte == b'"' && !literal;
            closed |= quoted && is_quote;
            quoted ^= is_quote;
            literal = escape;
            broken || byte == b',' && !quoted
        });
        self.plain = quoted || broken;
        if self.plain { plainly() } else { end }
    }
}

/// Without the spaces and tabs around it.
pub(super) fn trimmed(text: &[u8]) -> &[u8] {
    let space = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = text.iter().position(|byte| !space(byte)).unwrap_or(text.len());
    let end = text.iter().rposition(|byte| !space(byte)).map_or(start, |last| last + 1);
    &text[start..end]
}

/// A non-negative decimal number; `None` for anything else, the greatest for one too great.
pub(super) fn number(text: &[u8]) -> Option<u64> {
    let digits = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    digits.then(|| {
        text.iter().fold(0_u64, |sum, digit| {
            sum.saturating_mul(10).saturating_add(u64::from(digit - b'0'))
        })
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The members of a line all of whose quotes are closed, letter by letter.
    fn naive(line: &[u8]) -> Vec<Vec<u8>> {
        let (mut members, mut quoted, mut escaped) = (vec![Vec::new()], false, false);
        for &byte in line {
            match byte {
                b',' if !quoted => members.push(Vec::new()),
                _ => members.last_mut().unwrap().push(byte),
            }
            quoted ^= byte == b'"' && !escaped;
            escaped = quoted && !escaped && byte == b'\\';
        }
        let trimmed = members.iter().map(|member| trimmed(member).to_vec());
        trimmed.filter(|member| !member.is_empty()).collect()
    }

    #[test]
    fn commas_in_quotes_do_not_divide() {
        let line = br#" a , b="x, \", y" ,, c"#;
        let members: Vec<_> = in_line(line).collect();
        assert_eq!(members, [&b"a"[..], br#"b="x, \", y""#, b"c"]);
    }

    #[test]
    fn a_quote_that_stays_open_hides_nothing() {
        let members: Vec<_> = in_line(b"x=\"1,2\", a=\", no-store, b").collect();
        assert_eq!(members, [&b"x=\"1,2\""[..], b"a=\"", b"no-store", b"b"]);
    }

    #[test]
    fn a_quote_that_closes_within_a_word_hides_nothing() {
        let members: Vec<_> = in_line(br#"x=", private, private="date, age""#).collect();
        assert_eq!(members, [&br#"x=""#[..], b"private", br#"private="date"#, br#"age""#]);
    }

    #[test]
    fn a_long_line_of_open_quotes_is_read_in_one_go() {
        let line = br#"\","#.repeat(100_000);
        assert_eq!(in_line(&line).count(), 100_000);
    }

    #[test]
    fn numbers_are_digits_only_and_never_overflow() {
        assert_eq!(number(b"003600"), Some(3600));
        assert_eq!(number(b"99999999999999999999999"), Some(u64::MAX));
        for none in [&b""[..], b"-1", b"+1", b"1.0", b" 1", b"1a", b"'1'"] {
            assert_eq!(number(none), None);
        }
    }

    proptest! {
        #[test]
        fn members_are_what_commas_outside_of_quotes_part(
            line in r#"([a-z=, \t]|"([a-z, ]|\\[",\\])*"[ \t]*,){0,12}"#,
        ) {
            let members: Vec<_> = in_line(line.as_bytes()).map(<[u8]>::to_vec).collect();
            prop_assert_eq!(members, naive(line.as_bytes()));
        }

        #[test]
        fn members_are_members_again(line in proptest::collection::vec(
            prop_oneof![any::<u8>(), Just(b','), Just(b'"'), Just(b' '), Just(b'\\')], 0..40,
        )) {
            for member in in_line(&line) {
                prop_assert!(!member.is_empty() && trimmed(member) == member);
            }
            // What is between quotes cannot be taken apart; all else is found whole again.
            let members: Vec<_> = in_line(&line).collect();
            let closed = members.iter().all(|member| !member.contains(&b'"'));
            let joined = members.join(&b',');
            prop_assert!(!closed || in_line(&joined).eq(members.iter().copied()));
        }

        #[test]
        fn a_number_is_what_its_digits_say(text in "[0-9]{0,25}", other in "[^0-9]") {
            let expected = text.parse::<u128>().ok().map(|number| u64::try_from(number).unwrap_or(u64::MAX));
            prop_assert_eq!(number(text.as_bytes()), expected);
            prop_assert_eq!(number(format!("{text}{other}").as_bytes()), None);
        }
    }
}
