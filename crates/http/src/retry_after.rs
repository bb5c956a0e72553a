//! When a server wants to be asked again.

use std::time::{Duration, SystemTime};

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{AGE, DATE, RETRY_AFTER},
};
use tower_ballast_core::clock;

const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");

/// How long a server wants not to be asked, or `None` when it does not say so clearly.
///
/// Understood are `retry-after-ms`, which is preferred because it is finer, and `Retry-After`
/// ([RFC 9110, section 10.2.3](https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3)) as seconds
/// or as a date in any of HTTP's three forms. Fractions are rounded up, a date in the past is no
/// wait, and a number too great for a duration is the longest there is.
///
/// A date is measured from the answer's own `Date` when it has one, so a server whose clock is
/// wrong still means the right delay; from an answer that was stored on the way (it has an `Age`)
/// or bears no date, from this process's clock.
///
/// ```
/// use std::time::Duration;
/// use http::HeaderMap;
/// use tower_ballast_http::read_retry_after;
///
/// let mut headers = HeaderMap::new();
/// headers.insert("retry-after", "3".parse().unwrap());
/// assert_eq!(read_retry_after(&headers), Some(Duration::from_secs(3)));
///
/// headers.insert("date", "Mon, 02 Mar 2026 10:00:00 GMT".parse().unwrap());
/// headers.insert("retry-after", "Mon, 02 Mar 2026 10:01:30 GMT".parse().unwrap());
/// assert_eq!(read_retry_after(&headers), Some(Duration::from_secs(90)));
///
/// headers.insert("retry-after-ms", "250".parse().unwrap());
/// assert_eq!(read_retry_after(&headers), Some(Duration::from_millis(250)));
///
/// headers.clear();
/// headers.insert("retry-after", "soon".parse().unwrap());
/// assert_eq!(read_retry_after(&headers), None);
/// ```
#[must_use]
pub fn read_retry_after(headers: &HeaderMap) -> Option<Duration> {
    if let Some(millis) = text(headers, &RETRY_AFTER_MS).and_then(count) {
        return Some(Duration::from_millis(millis));
    }
    let value = text(headers, &RETRY_AFTER)?;
    count(value).map(Duration::from_secs).or_else(|| until(value, headers))
}

/// Writes how long a client should wait: `Retry-After` in whole seconds and `retry-after-ms`, both
/// rounded up.
///
/// ```
/// use std::time::Duration;
/// use http::HeaderMap;
/// use tower_ballast_http::write_retry_after;
///
/// let mut headers = HeaderMap::new();
/// write_retry_after(&mut headers, Duration::from_millis(1200));
/// assert_eq!(headers["retry-after"], "2");
/// assert_eq!(headers["retry-after-ms"], "1200");
/// ```
pub fn write_retry_after(headers: &mut HeaderMap, delay: Duration) {
    headers.insert(RETRY_AFTER, number(seconds_up(delay)));
    headers.insert(RETRY_AFTER_MS, number(millis_up(delay)));
}

/// Milliseconds, rounded up.
pub(crate) fn millis_up(delay: Duration) -> u64 {
    u64::try_from(delay.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

/// A number as a field value, in one allocation.
pub(crate) fn number(mut number: u64) -> HeaderValue {
    let mut digits = [b'0'; 20];
    let mut first = digits.len();
    loop {
        first -= 1;
        digits[first] += u8::try_from(number % 10).expect("a digit is below ten");
        number /= 10;
        if number == 0 {
            return HeaderValue::from_bytes(&digits[first..]).expect("digits are a field value");
        }
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

/// A number of units, its fraction rounded up.
fn count(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return None;
    }
    let up = fraction.bytes().any(|digit| digit != b'0');
    // Only digits are left, so the one way to fail is a number that is too great.
    Some(whole.parse().unwrap_or(u64::MAX).saturating_add(u64::from(up)))
}

fn until(value: &str, headers: &HeaderMap) -> Option<Duration> {
    let then = httpdate::parse_http_date(value).ok()?;
    let wait = then.duration_since(answered_at(headers)).unwrap_or_default();
    Some(Duration::from_secs(seconds_up(wait)))
}

fn answered_at(headers: &HeaderMap) -> SystemTime {
    let date = || httpdate::parse_http_date(text(headers, &DATE)?).ok();
    let fresh = !headers.contains_key(AGE);
    fresh.then(date).flatten().unwrap_or_else(clock::wall)
}

/// Seconds, rounded up.
pub(crate) fn seconds_up(delay: Duration) -> u64 {
    delay.as_secs().saturating_add(u64::from(delay.subsec_nanos() > 0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn headers(fields: &[(&'static str, &str)]) -> HeaderMap {
        fields
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
            .collect()
    }

    fn read(value: &str) -> Option<Duration> {
        read_retry_after(&headers(&[("retry-after", value)]))
    }

    #[test]
    fn all_three_forms_of_a_date_mean_the_same() {
        for date in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
        ] {
            let fields = [("retry-after", date), ("date", "Sun, 06 Nov 1994 08:49:07 GMT")];
            assert_eq!(
                read_retry_after(&headers(&fields)),
                Some(Duration::from_secs(30)),
                "{date}"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_date_of_its_own_an_answer_is_measured_by_our_clock() {
        let then = httpdate::fmt_http_date(clock::wall() + Duration::from_secs(100));
        tokio::time::advance(Duration::from_secs(60)).await;
        let fields = [("retry-after", &*then), ("date", "Sun, 06 Nov 1994 08:49:07 GMT")];
        let stored = [fields.as_slice(), &[("age", "60")]].concat();
        for headers in [headers(&fields[..1]), headers(&stored)] {
            let wait = read_retry_after(&headers).unwrap().as_secs();
            assert!((39..=41).contains(&wait), "{wait}");
        }
    }

    #[test]
    fn a_date_in_the_past_is_no_wait() {
        assert_eq!(read("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::ZERO));
    }

    #[test]
    fn fractions_are_rounded_up_and_greatness_is_bounded() {
        assert_eq!(read("1.2"), Some(Duration::from_secs(2)));
        assert_eq!(read("7.000"), Some(Duration::from_secs(7)));
        assert_eq!(read("99999999999999999999999"), Some(Duration::from_secs(u64::MAX)));
        assert_eq!(read("  5 "), Some(Duration::from_secs(5)));
    }

    #[test]
    fn what_is_unclear_is_no_answer() {
        for value in ["", "-1", "+1", "1e9", "1.", ".5", "1.2.3", "soon", "0x10", "1, 2", "NaN"] {
            assert_eq!(read(value), None, "{value}");
        }
    }

    #[test]
    fn unclear_milliseconds_leave_the_word_to_the_seconds() {
        let headers = headers(&[("retry-after-ms", "soon"), ("retry-after", "4")]);
        assert_eq!(read_retry_after(&headers), Some(Duration::from_secs(4)));
    }

    proptest! {
        #[test]
        fn reading_never_panics(ms: Vec<u8>, value: Vec<u8>, date: Vec<u8>) {
            let mut headers = HeaderMap::new();
            for (name, bytes) in [(RETRY_AFTER_MS, ms), (RETRY_AFTER, value), (DATE, date)] {
                if let Ok(value) = HeaderValue::from_bytes(&bytes) {
                    headers.insert(name, value);
                }
            }
            let _ = read_retry_after(&headers);
        }

        #[test]
        fn a_number_is_written_as_everybody_writes_it(any: u64) {
            for any in [any, any % 100, 0, 10, u64::MAX] {
                prop_assert_eq!(number(any), any.to_string());
            }
        }

        #[test]
        fn what_is_written_is_read_back_rounded_up(secs: u64, nanos in 0_u32..1_000_000_000) {
            let delay = Duration::new(secs, nanos);
            let mut headers = HeaderMap::new();
            write_retry_after(&mut headers, delay);
            let exact = read_retry_after(&headers).unwrap();
            headers.remove(RETRY_AFTER_MS);
            let whole = read_retry_after(&headers).unwrap();
            prop_assert!(whole >= delay || whole.as_secs() == u64::MAX);
            prop_assert!(exact >= delay || millis_up(delay) == u64::MAX);
            prop_assert!(exact.saturating_sub(delay) < Duration::from_millis(1));
        }
    }
}
