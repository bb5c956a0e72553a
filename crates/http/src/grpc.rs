//! The few things of gRPC's HTTP/2 mapping that layers need.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, header::CONTENT_TYPE};

pub(crate) const CONTENT: HeaderValue = HeaderValue::from_static("application/grpc");
pub(crate) const STATUS: HeaderName = HeaderName::from_static("grpc-status");
pub(crate) const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
pub(crate) const TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
pub(crate) const PUSHBACK: HeaderName = HeaderName::from_static("grpc-retry-pushback-ms");
pub(crate) const PREVIOUS: HeaderName = HeaderName::from_static("grpc-previous-rpc-attempts");

const DIGITS: usize = 8;
/// The units of a timeout and how many nanoseconds each has, the finest first.
const UNITS: [(u8, u128); 6] = [
    (b'n', 1),
    (b'u', 1_000),
    (b'm', 1_000_000),
    (b'S', 1_000_000_000),
    (b'M', 60_000_000_000),
    (b'H', 3_600_000_000_000),
];

/// Whether a message is one of gRPC itself; gRPC-Web has its own content type and rules.
pub(crate) fn is_grpc(headers: &HeaderMap) -> bool {
    headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.as_bytes().strip_prefix(CONTENT.as_bytes()))
        .is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';' | b' ')))
}

/// The time in a `grpc-timeout` field: one to eight digits and a unit.
pub(crate) fn parse_timeout(text: &[u8]) -> Option<Duration> {
    let (unit, digits) = text.split_last()?;
    let (_, nanos) = UNITS.iter().find(|(name, _)| name == unit)?;
    if digits.is_empty() || digits.len() > DIGITS || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let count: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    let nanos = u128::from(count) * nanos;
    let whole = u64::try_from(nanos / 1_000_000_000).ok()?;
    let rest = u32::try_from(nanos % 1_000_000_000).ok()?;
    Some(Duration::new(whole, rest))
}

/// A time as a `grpc-timeout` field, in the finest unit that has room for it, rounded down.
pub(crate) fn timeout_value(time: Duration) -> HeaderValue {
    let most = 10_u128.pow(8) - 1;
    let (unit, count) = UNITS
        .iter()
        .map(|(unit, nanos)| (*unit, time.as_nanos() / nanos))
        .find(|(_, count)| *count <= most)
        .unwrap_or((b'H', most));
    let text = format!("{}{}", count.max(1), char::from(unit));
    HeaderValue::try_from(text).expect("digits and a letter are a field value")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn content(value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(value))])
    }

    #[test]
    fn only_grpc_itself_is_grpc() {
        for yes in ["application/grpc", "application/grpc+proto", "application/grpc;v=1"] {
            assert!(is_grpc(&content(yes)), "{yes}");
        }
        for no in ["application/grpc-web", "application/grpcx", "application/json", ""] {
            assert!(!is_grpc(&content(no)), "{no}");
        }
        assert!(!is_grpc(&HeaderMap::new()));
    }

    #[test]
    fn timeouts_are_read_in_every_unit() {
        for (text, expected) in [
            ("5S", Duration::from_secs(5)),
            ("100m", Duration::from_millis(100)),
            ("7u", Duration::from_micros(7)),
            ("1n", Duration::from_nanos(1)),
            ("2M", Duration::from_secs(120)),
            ("99999999H", Duration::from_secs(99_999_999 * 3600)),
        ] {
            assert_eq!(parse_timeout(text.as_bytes()), Some(expected), "{text}");
        }
        for text in ["", "S", "5", "5s", "-5S", "+5S", "5 S", "123456789S", "5SS", "\u{ff15}S"] {
            assert_eq!(parse_timeout(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn a_timeout_is_never_written_as_none_at_all() {
        assert_eq!(timeout_value(Duration::ZERO), "1n");
        assert_eq!(timeout_value(Duration::MAX), "99999999H");
    }

    proptest! {
        #[test]
        fn reading_a_timeout_never_panics(text: Vec<u8>) {
            let _ = parse_timeout(&text);
        }

        #[test]
        fn what_is_written_is_read_back_a_little_shorter(nanos in 1..u64::MAX) {
            let time = Duration::from_nanos(nanos);
            let read = parse_timeout(timeout_value(time).as_bytes()).unwrap();
            prop_assert!(read <= time);
            // Eight digits lose less than a part in ten million, or the fraction of a coarse unit.
            prop_assert!(time.abs_diff(read) <= time / 100_000, "{time:?} became {read:?}");
        }
    }
}
